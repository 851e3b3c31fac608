/** Calls that overlap on one key share one run of the work and its outcome. */
export class SingleFlight<K, T> {
  readonly #flights = new Map<K, Promise<T>>();

  run(key: K, work: () => Promise<T>): Promise<T> {
    const there = this.#flights.get(key);
    if (there) return there;
    const flight = work().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }
}
