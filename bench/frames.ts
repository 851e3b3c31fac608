/** Of HTTP/2's frames (RFC 9113) what calls with one message each way need. */
export const frameTypes = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;

/** `endStream` of DATA and HEADERS, `ack` of SETTINGS and PING, `endHeaders` of HEADERS. */
export const flags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4 } as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  /** 0 is the connection. */
  readonly stream: number;
  readonly payload: Buffer;
}

const headBytes = 9;

export function frame(type: number, flag: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flag, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A payload that is one number. */
export function uint32(value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return payload;
}

/** Hands on the whole frames at the beginning of what has come and returns what is left. */
export function takeFrames(bytes: Buffer, take: (frame: Frame) => void): Buffer {
  let at = 0;
  while (bytes.length - at >= headBytes) {
    const end = at + headBytes + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const payload = bytes.subarray(at + headBytes, end);
    take({
      ...{ type: bytes.readUInt8(at + 3), flags: bytes.readUInt8(at + 4) },
      ...{ stream: bytes.readUInt32BE(at + 5), payload },
    });
    at = end;
  }
  return bytes.subarray(at);
}

/** Header fields in their plainest form (RFC 7541 6.2.2): nothing packed, nothing for the other side to remember. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** The length of longer ones would not fit into its first byte. */
const longestText = 126;

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length > longestText) throw new Error(`a header of ${bytes.length} bytes, more than ${longestText}`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
