import { join } from 'node:path';
import { MalformedError } from '#errors/errors.ts';
import { readBytesSync } from '#host/files.ts';

/** CRIU's marks of a statistics file (criu, images/magic.h), both little-endian. */
const magic = [0x55_10_59_40, 0x57_09_33_06];

/** After the marks and the message's length. */
const headerBytes = 12;

/** The field of StatsEntry that holds what a dump took, and of that the one that counts the microseconds frozen. */
const dumpField = 1;
const frozenTimeField = 2;

/** How long the processes of a dump stood still, in milliseconds, by CRIU's own count; undefined where it left none. */
export function readFrozenMs(workPath: string): number | undefined {
  const bytes = readBytesSync(join(workPath, 'stats-dump'));
  return bytes && parseFrozenUsec(bytes) / 1000;
}

/**
 * The microseconds frozen from the bytes of `stats-dump`: two marks, a length, a protobuf message (criu, images/stats.proto).
 * Throws MalformedError.
 */
export function parseFrozenUsec(bytes: Buffer): number {
  const marked = bytes.byteLength >= headerBytes && magic.every((mark, at) => bytes.readUInt32LE(at * 4) === mark);
  if (!marked) throw new MalformedError('not a statistics file of CRIU');
  const dump = field(bytes.subarray(headerBytes, headerBytes + bytes.readUInt32LE(8)), dumpField);
  const frozen = typeof dump === 'object' ? field(dump, frozenTimeField) : undefined;
  if (typeof frozen !== 'number') throw new MalformedError("CRIU's statistics say nothing of the time frozen");
  return frozen;
}

/** The first value of a field: a number, or the bytes of what is packed in it. Protobuf's wire types 0 and 2 suffice here. */
function field(message: Buffer, wanted: number): number | Buffer | undefined {
  for (let at = 0; at < message.byteLength;) {
    const key = varint(message, at);
    const value = varint(message, key.next);
    const packed = key.value % 8 === 2;
    if (!packed && key.value % 8 !== 0) throw new MalformedError("CRIU's statistics hold a field of an unknown kind");
    at = packed ? value.next + value.value : value.next;
    if (Math.floor(key.value / 8) === wanted) return packed ? message.subarray(value.next, at) : value.value;
  }
  return undefined;
}

function varint(message: Buffer, from: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let at = from; at < message.byteLength && at < from + 10; at += 1) {
    const byte = message[at] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * (at - from));
    if (byte < 0x80) return { value, next: at + 1 };
  }
  throw new MalformedError("CRIU's statistics are cut");
}
