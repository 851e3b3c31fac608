import type { SecureContextOptions } from 'node:tls';
import { NotFoundError } from '#errors/errors.ts';
import { modifiedMs, readTextSync } from '#host/files.ts';
import type { TlsFiles } from './endpoint.ts';

/** Certificate, key and client authorities as they are on disk; they are read anew after they were replaced. */
export class RotatedTls {
  readonly #files: TlsFiles;
  #read: readonly (number | undefined)[];

  constructor(files: TlsFiles) {
    this.#files = files;
    this.#read = this.#times();
  }

  /** Reads them. Throws NotFoundError naming the file. */
  read(): SecureContextOptions {
    const { cert, key, clientCa } = this.#files;
    this.#read = this.#times();
    return {
      cert: needText(cert),
      key: needText(key),
      ...(clientCa === undefined ? {} : { ca: needText(clientCa) }),
    };
  }

  /** Whether one of them was replaced since they were read. Costs three stat calls. */
  get changed(): boolean {
    return this.#times().some((time, index) => time !== this.#read[index]);
  }

  #times(): readonly (number | undefined)[] {
    const { cert, key, clientCa } = this.#files;
    return [cert, key, clientCa].map((path) => (path === undefined ? undefined : modifiedMs(path)));
  }
}

function needText(path: string): string {
  const text = readTextSync(path);
  if (text === undefined) throw new NotFoundError(`cannot read ${path}: no such file`);
  return text;
}
