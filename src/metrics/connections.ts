import type { Socket } from 'node:net';

/**
 * The connections of a server, of which there are never more than a number: one more ends the oldest. Refusing the new one
 * instead would let whoever opens many and says nothing keep everybody else out.
 */
export class Connections {
  readonly #most: number;
  readonly #open = new Set<Socket>();

  constructor(most: number) {
    this.#most = most;
  }

  add(socket: Socket): void {
    const [oldest] = this.#open;
    if (oldest && this.#open.size >= this.#most) {
      this.#open.delete(oldest);
      oldest.destroy();
    }
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** Ends them all. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
    this.#open.clear();
  }
}
