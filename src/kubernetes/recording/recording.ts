import type { Clock } from '#async/clock.ts';
import { ResourceExhaustedError } from '#errors/errors.ts';
import type { SessionRecorder } from '../session/recorder.ts';
import type { TerminalSize } from '../session/stream.ts';
import { castEvent, CastText, type CastCode } from './asciicast.ts';

/** Where lines go: a file. */
export interface LineSink extends AsyncDisposable {
  append(data: string): Promise<void>;
}

export interface RecordingOptions {
  readonly path: string;
  readonly sink: LineSink;
  /** Already in the file. */
  readonly bytes: number;
  readonly maxBytes: number;
  /** Whether what is typed is written down, too. */
  readonly typed: boolean;
  readonly clock: Clock;
  /** Told once when nothing more is written although the session goes on. */
  readonly onLost: (error: Error) => void;
}

/** What may wait for a slow disk; past it lines are left out, and a marker says so. */
const maxWaitingBytes = 4 * 1024 * 1024;

/** One session as an asciicast. Lines wait for the disk here, and nobody waits for them. */
export class Recording implements SessionRecorder {
  readonly path: string;
  readonly #options: RecordingOptions;
  readonly #startMs: number;
  readonly #texts = { o: new CastText(), i: new CastText() };
  #bytes: number;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #leftOut = 0;
  #writing: Promise<void> | undefined;
  #over = false;

  constructor(options: RecordingOptions) {
    this.path = options.path;
    this.#options = options;
    this.#startMs = options.clock.monotonicMs();
    this.#bytes = options.bytes;
  }

  shown(data: Uint8Array): void {
    this.#text('o', this.#texts.o.add(data));
  }

  typed(data: Uint8Array): void {
    if (this.#options.typed) this.#text('i', this.#texts.i.add(data));
  }

  resized({ width, height }: TerminalSize): void {
    this.#add('r', `${width}x${height}`);
  }

  async close(): Promise<void> {
    this.#text('o', this.#texts.o.end());
    this.#text('i', this.#texts.i.end());
    this.#over = true;
    while (this.#writing) await this.#writing;
    await this.#options.sink[Symbol.asyncDispose]();
  }

  #text(code: 'o' | 'i', text: string): void {
    if (text !== '') this.#add(code, text);
  }

  #add(code: CastCode, text: string): void {
    if (this.#over) return;
    const line = this.#line(code, text);
    const bytes = Buffer.byteLength(line);
    if (this.#bytes + bytes > this.#options.maxBytes) {
      this.#push(this.#line('m', `the recording ends here: it has reached ${this.#options.maxBytes} bytes`));
      this.#over = true;
      this.#options.onLost(new ResourceExhaustedError('its recording has reached the size that the policy allows'));
      return;
    }
    if (this.#waitingBytes + bytes > maxWaitingBytes) {
      this.#leftOut += 1;
      return;
    }
    if (this.#leftOut > 0) this.#push(this.#line('m', `${this.#leftOut} pieces were left out: the disk is slow`));
    this.#leftOut = 0;
    this.#push(line);
  }

  #line(code: CastCode, text: string): string {
    return castEvent((this.#options.clock.monotonicMs() - this.#startMs) / 1000, code, text);
  }

  #push(line: string): void {
    const bytes = Buffer.byteLength(line);
    this.#bytes += bytes;
    this.#waitingBytes += bytes;
    this.#waiting.push(line);
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const lines = this.#waiting.splice(0).join('');
        await this.#options.sink.append(lines);
        this.#waitingBytes -= Buffer.byteLength(lines);
      }
    } catch (error) {
      this.#waiting = [];
      this.#over = true;
      this.#options.onLost(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
