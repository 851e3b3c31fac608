import { basename } from 'node:path';
import { readLinkSync } from '#host/files.ts';

/** Bounds what is kept of a machine whose devices come and go. */
const keptNames = 1_000;

/** The kernel's names of block devices: `8:0` is `sda`. A device that is gone keeps its numbers. */
export class DeviceNames {
  readonly #sys: string;
  readonly #names = new Map<string, string>();

  constructor(sys = '/sys') {
    this.#sys = sys;
  }

  of(number: string): string {
    const known = this.#names.get(number);
    if (known !== undefined) return known;
    const link = readLinkSync(`${this.#sys}/dev/block/${number}`);
    if (link === undefined) return number;
    if (this.#names.size >= keptNames) this.#names.clear();
    const name = basename(link);
    this.#names.set(number, name);
    return name;
  }
}
