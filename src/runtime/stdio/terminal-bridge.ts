import type { Socket } from 'node:net';
import { openFifoStream } from '#host/fifo-stream.ts';
import { TaskGroup } from '#async/task-group.ts';
import type { ProcessIo } from '#task/io.ts';
import { AttachConnection } from './attach-connection.ts';

type FifoIo = ProcessIo & { readonly kind: 'fifo' };

/** A terminal's way to its client; disposing of it lets go of both, whatever was on its way, and the process goes on. */
export interface TerminalBridge extends AsyncDisposable {
  /** Resolves when everything is in the client's FIFO and that is closed; never where the client has stalled for good. */
  readonly ended: Promise<void>;
  /** What the client's FIFO has not had room for. */
  readonly waitingBytes: number;
}

/** Copies between a client's FIFOs and a terminal that conmon holds. It ends with the process. */
export async function bridgeTerminal(
  io: FifoIo,
  attachSocket: string,
  onError: (error: unknown) => void,
): Promise<TerminalBridge> {
  const attachment = await AttachConnection.connect(attachSocket);
  const input = io.stdin ? openFifoStream(io.stdin, 'read') : undefined;
  const output = io.stdout ? openFifoStream(io.stdout, 'write') : undefined;
  const group = new TaskGroup(onError);
  const ended = Promise.withResolvers<void>();
  for (const stream of [input, output]) stream?.on('error', () => {}); // the client's side is gone; the process goes on
  output?.once('close', ended.resolve);
  if (input) {
    group.spawn(async () => {
      for await (const data of input) await attachment.write(data as Buffer);
    });
  }
  group.spawn(async () => {
    for await (const { data } of attachment.output) {
      if (output?.writable && !output.write(data)) await hasRoom(output);
    }
    if (output) output.end();
    else ended.resolve();
    input?.destroy();
  });
  return {
    ended: ended.promise,
    get waitingBytes() {
      return attachment.unreadBytes + (output?.writableLength ?? 0);
    },
    [Symbol.asyncDispose]: async () => {
      await attachment[Symbol.asyncDispose]();
      input?.destroy();
      output?.destroy(); // what it still has does not fit into the FIFO, perhaps never
      await group[Symbol.asyncDispose]();
    },
  };
}

/** Waits until a stream takes more or is closed. */
function hasRoom(stream: Socket): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      stream.off('drain', over).off('close', over);
      resolve();
    };
    stream.once('drain', over).once('close', over);
  });
}
