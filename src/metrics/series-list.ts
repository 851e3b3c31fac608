import type { Exposition, FamilyHead } from './exposition.ts';
import type { Value } from './row.ts';

/** Series of one family in the order in which they are written, as lists that grow together. */
export class SeriesList {
  readonly #head: FamilyHead & { readonly inMicroseconds?: true };
  readonly #name: Buffer;
  readonly #tasks: Buffer[] = [];
  readonly #labels: Buffer[] = [];
  readonly #values: number[] = [];
  /** Values that a number does not hold exactly, by their place. */
  readonly #large = new Map<number, bigint>();

  constructor(head: FamilyHead & { readonly inMicroseconds?: true }, name: Buffer) {
    this.#head = head;
    this.#name = name;
  }

  /** Adds a series by the bytes of the task's labels and of its own. */
  push(task: Buffer, labels: Buffer, value: Value): void {
    const number = value === 'unlimited' ? Infinity : Number(value);
    if (typeof value === 'bigint' && !Number.isSafeInteger(number)) this.#large.set(this.#values.length, value);
    this.#tasks.push(task);
    this.#labels.push(labels);
    this.#values.push(number);
  }

  /** Writes the family's head and its series; nothing of a family without any. */
  write(out: Exposition): void {
    if (this.#values.length > 0) out.family(this.#head);
    for (let at = 0; at < this.#values.length; at += 1) {
      out.bytes(this.#name);
      out.bytes(this.#tasks[at] ?? nothing);
      out.bytes(this.#labels[at] ?? nothing);
      const value = this.#large.get(at) ?? this.#values[at] ?? Number.NaN;
      if (this.#head.inMicroseconds) out.microseconds(value);
      else out.value(value);
    }
  }
}

const nothing = Buffer.alloc(0);
