import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { errorMessage, FailedPreconditionError } from '#errors/errors.ts';
import { fileMark, readTextSync } from '#host/files.ts';
import type { TlsFiles } from './endpoint.ts';

/** Certificate, key and client authorities as they were read. */
export interface LoadedTls {
  readonly context: Pick<SecureContextOptions, 'cert' | 'key' | 'ca'>;
  /** When the server's certificate ends, milliseconds since 1970. */
  readonly expiresMs: number;
  /** When the first of the client authorities ends. */
  readonly clientCaExpiresMs?: number;
}

/** Certificate, key and client authorities as they are on disk; they are read anew after they were replaced. */
export class RotatedTls {
  readonly #files: TlsFiles;
  #marks: readonly (string | undefined)[] = [];

  constructor(files: TlsFiles) {
    this.#files = files;
  }

  /** Reads and checks them. Throws FailedPreconditionError that names the setting and the file. */
  read(): LoadedTls {
    // Before the files: what is replaced while they are read counts as changed.
    this.#marks = this.#now();
    const { cert, key, clientCa } = this.#files;
    const certs = readCertificates('--metrics-tls-cert', cert);
    const keyText = readKey(key, cert, certs.first);
    const authorities = clientCa === undefined ? undefined : readCertificates('--metrics-client-ca', clientCa);
    return {
      context: { cert: certs.text, key: keyText, ...(authorities ? { ca: authorities.text } : {}) },
      expiresMs: Date.parse(certs.first.validTo),
      ...(authorities ? { clientCaExpiresMs: authorities.firstEndMs } : {}),
    };
  }

  /** Whether one of them was replaced since they were read, also where that failed. Costs three stat calls. */
  get changed(): boolean {
    return this.#now().some((mark, index) => mark !== this.#marks[index]);
  }

  #now(): readonly (string | undefined)[] {
    const { cert, key, clientCa } = this.#files;
    return [cert, key, clientCa].map((path) => (path === undefined ? undefined : fileMark(path)));
  }
}

interface Certificates {
  readonly text: string;
  readonly first: X509Certificate;
  readonly firstEndMs: number;
}

/** A file without any certificate is refused: as an authority an empty text would mean everybody whom the public ones know. */
function readCertificates(flag: string, path: string): Certificates {
  const text = needText(flag, path);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    const all = blocks.map((block) => new X509Certificate(block));
    const [first] = all;
    if (!first) throw new Error('there is no certificate in PEM in it');
    return { text, first, firstEndMs: Math.min(...all.map(({ validTo }) => Date.parse(validTo))) };
  } catch (error) {
    throw new FailedPreconditionError(`${flag} ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

function readKey(path: string, certPath: string, certificate: X509Certificate): string {
  const text = needText('--metrics-tls-key', path);
  try {
    if (certificate.checkPrivateKey(createPrivateKey(text))) return text;
  } catch {
    // What OpenSSL says of a broken key is a number and a path of its sources.
    throw new FailedPreconditionError(`--metrics-tls-key ${path}: there is no private key in PEM in it`);
  }
  throw new FailedPreconditionError(`--metrics-tls-key ${path}: is not the key of the certificate in ${certPath}`);
}

function needText(flag: string, path: string): string {
  const text = readTextSync(path);
  if (text === undefined) throw new FailedPreconditionError(`${flag} ${path}: there is no such file`);
  return text;
}
