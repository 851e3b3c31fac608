import { StringDecoder } from 'node:string_decoder';
import type { RecordingStart } from '../session/recorder.ts';

/** What a terminal has that says nothing of its size. */
const usualSize = { width: 80, height: 24 };

/** The first line of an asciicast v2 file; `startedAtMs` is wall clock. */
export function castHeader(start: RecordingStart, startedAtMs: number): string {
  const { namespace, name, uid, kind, taskName, command, requestedBy, size = usualSize } = start;
  return line({
    version: 2,
    ...size,
    timestamp: Math.floor(startedAtMs / 1000),
    title: `${kind} ${namespace}/${taskName}`,
    ...(command ? { command: command.join(' ') } : {}),
    // asciicast lets others add what they like; players pass over it.
    runlet: { kind, namespace, name, uid, taskName, ...(requestedBy === undefined ? {} : { requestedBy }) },
  });
}

/** `o`: shown, `i`: typed, `r`: a new size, `m`: a marker. */
export type CastCode = 'o' | 'i' | 'r' | 'm';

/** A line of what happened `seconds` after the beginning. */
export function castEvent(seconds: number, code: CastCode, text: string): string {
  return line([Math.round(seconds * 1e6) / 1e6, code, text]);
}

/** Text of bytes that come in pieces: a character that is cut in two waits for its other part. */
export class CastText {
  readonly #decoder = new StringDecoder('utf8');

  add(data: Uint8Array): string {
    return this.#decoder.write(Buffer.from(data));
  }

  /** What was still waited for. */
  end(): string {
    return this.#decoder.end();
  }
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
