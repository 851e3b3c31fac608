import { abortable } from '#async/deadline.ts';
import { CancelledError } from '#errors/errors.ts';

interface Flight<T, P> {
  readonly controller: AbortController;
  readonly listeners: Map<symbol, ((progress: P) => void) | undefined>;
  readonly promise: Promise<T>;
  last: P | undefined;
}

export interface Passenger<P> {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: P) => void;
}

/**
 * Calls that overlap on one key share one run of the work, its progress and its outcome. A caller who gives up leaves the
 * others alone; the work is cancelled when the last one has gone.
 */
export class SharedFlight<T, P = never> {
  readonly #flights = new Map<string, Flight<T, P>>();
  readonly #pending = new Set<Promise<unknown>>();

  async run(
    key: string,
    work: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>,
    { signal, onProgress }: Passenger<P> = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, work);
    const seat = Symbol('seat');
    flight.listeners.set(seat, onProgress);
    if (flight.last !== undefined) onProgress?.(flight.last);
    try {
      return await abortable(flight.promise, signal);
    } finally {
      flight.listeners.delete(seat);
      if (flight.listeners.size === 0) this.#leave(key, flight);
    }
  }

  /** Cancels all and waits until they have ended. */
  async close(): Promise<void> {
    for (const [key, flight] of this.#flights) this.#leave(key, flight);
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
  }

  #begin(key: string, work: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>): Flight<T, P> {
    const controller = new AbortController();
    const listeners: Flight<T, P>['listeners'] = new Map();
    const report = (progress: P) => {
      flight.last = progress;
      for (const listener of listeners.values()) listener?.(progress);
    };
    const promise = Promise.resolve()
      .then(async () => await work(controller.signal, report))
      .finally(() => {
        this.#pending.delete(promise);
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      });
    promise.catch(() => {}); // when all have left there is nobody to tell
    const flight: Flight<T, P> = { controller, listeners, promise, last: undefined };
    this.#pending.add(promise);
    this.#flights.set(key, flight);
    return flight;
  }

  /** A cancelled flight takes nobody else on. */
  #leave(key: string, flight: Flight<T, P>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    flight.controller.abort(new CancelledError('nobody waits for it any more'));
  }
}
