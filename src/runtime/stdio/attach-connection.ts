import { connectSeqpacket, type SeqpacketConnection } from '#host/seqpacket.ts';
import type { Attachment, OutputChunk } from '#task/io.ts';

/** Output that a client may leave unread; past it the oldest goes. A client that stalled conmon would stall the process. */
const bufferBytes = 4 * 1024 * 1024;

/** What keeping a piece costs beside its bytes, counted with them: a terminal's pieces may be of one byte each. */
const pieceBytes = 256;

/** conmon takes packets of up to 32 KiB of input. */
const inputBytes = 16 * 1024;

/** The first byte of conmon's output packets; a terminal's output is all of the first kind. */
const stderrByte = 3;

/**
 * One client's connection to conmon's attach socket: packets of a stream byte and up to 8 KiB. What comes is always taken at
 * once and kept here within a bound, because conmon writes to its clients without a timeout.
 */
export class AttachConnection implements Attachment {
  readonly #queue: OutputChunk[] = [];
  #queuedBytes = 0;
  #droppedBytes = 0;
  #closed = false;
  #wake: () => void = () => {};
  #connection: SeqpacketConnection | undefined;

  private constructor() {}

  /** Connects; throws UnavailableError when the process's monitor is gone. */
  static async connect(socket: string): Promise<AttachConnection> {
    const attachment = new AttachConnection();
    attachment.#connection = await connectSeqpacket(socket, {
      data: (packet) => attachment.#take(packet),
      closed: () => attachment.#close(),
    });
    return attachment;
  }

  get output(): AsyncIterable<OutputChunk> {
    return { [Symbol.asyncIterator]: () => this.#chunks() };
  }

  /** What has come and waits to be read. */
  get unreadBytes(): number {
    return this.#queuedBytes;
  }

  async write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.byteLength; at += inputBytes) {
      await this.#connection?.write(data.subarray(at, at + inputBytes));
    }
  }

  closeStdin(): Promise<void> {
    this.#connection?.end();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#connection?.[Symbol.dispose]();
    return Promise.resolve();
  }

  async *#chunks(): AsyncGenerator<OutputChunk> {
    for (;;) {
      if (this.#droppedBytes > 0) yield this.#marker();
      const chunk = this.#queue.shift();
      if (chunk) {
        this.#queuedBytes -= chunk.data.byteLength;
        yield chunk;
      } else if (this.#closed) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #take(packet: Buffer): void {
    if (packet.byteLength < 2) return;
    const data = Buffer.from(packet.subarray(1));
    this.#queue.push({ stream: packet[0] === stderrByte ? 'stderr' : 'stdout', data });
    this.#queuedBytes += data.byteLength;
    while (this.#queuedBytes + this.#queue.length * pieceBytes > bufferBytes) {
      const oldest = this.#queue.shift()?.data.byteLength ?? 0;
      this.#queuedBytes -= oldest;
      this.#droppedBytes += oldest;
    }
    this.#wake();
  }

  #marker(): OutputChunk {
    const data = Buffer.from(`\r\n[runlet: ${this.#droppedBytes} bytes of output were not read in time]\r\n`);
    this.#droppedBytes = 0;
    return { stream: 'stdout', data };
  }

  #close(): void {
    this.#closed = true;
    this.#wake();
  }
}
