import { MalformedError, ResourceExhaustedError } from '#errors/errors.ts';

/** Longest event that is read: etcd takes 1.5 MiB, and JSON writes some characters longer. */
const maxLineBytes = 8 * 1024 * 1024;
const newline = 10;

/**
 * The JSON values of a stream that has one a line. A line that is cut by the stream's end is no value and is dropped: the
 * event comes again. Throws MalformedError, ResourceExhaustedError for a line without end, and what the stream throws.
 * @yields Each value, as its line is complete.
 */
export async function* readJsonLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void, void> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    let rest = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      yield* parseLine(Buffer.concat([...parts, rest.subarray(0, end)]).toString());
      parts = [];
      bytes = 0;
      rest = rest.subarray(end + 1);
    }
    if (rest.length === 0) continue;
    bytes += rest.length;
    if (bytes > maxLineBytes) throw new ResourceExhaustedError(`an event is longer than ${maxLineBytes} bytes`);
    parts.push(rest);
  }
}

function* parseLine(line: string): Iterable<unknown> {
  if (line.trim() === '') return;
  try {
    yield JSON.parse(line) as unknown;
  } catch (error) {
    throw new MalformedError('an event is not JSON', { cause: error });
  }
}
