/**
 * Hands on what the runtime tells of a process, in order, but not while a verb is under way whose own event comes first: an
 * init may have ended before the call that started it has returned.
 */
export class HeldNotices {
  #holds = 0;
  #kept: (() => void)[] = [];

  /** Keeps what is told until disposed of; several holds add up. */
  hold(): Disposable {
    let held = true;
    this.#holds += 1;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#holds -= 1;
        this.#handOn();
      },
    };
  }

  tell(notice: () => void): void {
    this.#kept.push(notice);
    this.#handOn();
  }

  #handOn(): void {
    while (this.#holds === 0) {
      const notice = this.#kept.shift();
      if (!notice) return;
      notice();
    }
  }
}
