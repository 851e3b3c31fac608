import { StringDecoder } from 'node:string_decoder';

/** The beginning of what a program writes, up to a bound, past which it says so once and takes nothing more. */
export class OutputStart {
  readonly #maxBytes: number;
  readonly #onFull: () => void;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number, onFull: () => void) {
    this.#maxBytes = maxBytes;
    this.#onFull = onFull;
  }

  add(data: Buffer): void {
    const full = this.#bytes > this.#maxBytes;
    this.#bytes += data.byteLength;
    if (this.#bytes <= this.#maxBytes) this.#pieces.push(data);
    else if (!full) this.#onFull();
  }

  text(): string {
    return Buffer.concat(this.#pieces).toString('utf8');
  }
}

/** The end of what a program writes, of a bounded length however long it goes on. */
export class OutputEnd {
  readonly #maxBytes: number;
  #kept: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(data: Buffer): void {
    const all = this.#kept.byteLength === 0 ? data : Buffer.concat([this.#kept, data]);
    // A view of a long buffer would keep the whole of it.
    this.#kept = all.byteLength > this.#maxBytes ? Buffer.from(all.subarray(-this.#maxBytes)) : all;
  }

  text(): string {
    return this.#kept.toString('utf8');
  }
}

/** Cuts what comes in pieces into lines, without their ends. A line past `maxBytes` comes in parts. */
export class LineReader {
  readonly #onLine: (line: string) => void;
  readonly #maxBytes: number;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  constructor(onLine: (line: string) => void, maxBytes: number) {
    this.#onLine = onLine;
    this.#maxBytes = maxBytes;
  }

  add(data: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(data)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
    if (this.#rest.length > this.#maxBytes) this.end();
  }

  /** Nothing more comes: what stands after the last line is one too. */
  end(): void {
    if (this.#rest !== '') this.#onLine(this.#rest);
    this.#rest = '';
  }
}
