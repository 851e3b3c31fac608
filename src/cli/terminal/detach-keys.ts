import { InvalidArgumentError } from '#errors/errors.ts';

/** What lets go of a task without ending it, as with docker. */
export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** What of the keyboard's bytes goes to the process, and whether the keys were pressed. */
export interface Typed {
  readonly data: Uint8Array;
  readonly detached: boolean;
}

/** Looks for a sequence of keys in what is typed; keys that only begin it are held back until the next one decides. */
export class DetachKeys {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  feed(chunk: Uint8Array): Typed {
    const data: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        data.push(...this.#keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) data.push(byte);
      else this.#matched += 1;
      if (this.#keys.length > 0 && this.#matched === this.#keys.length) {
        return { data: Uint8Array.from(data), detached: true };
      }
    }
    return { data: Uint8Array.from(data), detached: false };
  }
}

/** The bytes of `ctrl-p,ctrl-q` or `ctrl-]`; an empty text is no keys. Throws InvalidArgumentError. */
export function parseDetachKeys(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(',').map((key) => {
    const [, letter] = /^ctrl-([a-z@[\\\]^_])$/i.exec(key) ?? [];
    if (letter) return letter.toUpperCase().charCodeAt(0) & 0x1f;
    if (/^[\u0020-\u007e]$/.test(key)) return key.charCodeAt(0);
    throw new InvalidArgumentError(`--detach-keys must be keys such as ctrl-p,ctrl-q, not "${text}"`);
  });
}
