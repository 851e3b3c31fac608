import { once } from 'node:events';
import { openFifoStream } from '#host/fifo-stream.ts';
import { TaskGroup } from '#async/task-group.ts';
import type { ProcessIo } from '#task/io.ts';
import { AttachConnection } from './attach-connection.ts';

type FifoIo = ProcessIo & { readonly kind: 'fifo' };

/**
 * Copies between a client's FIFOs and a terminal that conmon holds. It ends with the process; disposing of it lets go of
 * both and the process goes on.
 */
export async function bridgeTerminal(
  io: FifoIo,
  attachSocket: string,
  onError: (error: unknown) => void,
): Promise<AsyncDisposable> {
  const attachment = await AttachConnection.connect(attachSocket);
  const input = io.stdin ? openFifoStream(io.stdin, 'read') : undefined;
  const output = io.stdout ? openFifoStream(io.stdout, 'write') : undefined;
  const group = new TaskGroup(onError);
  for (const stream of [input, output]) stream?.on('error', () => {}); // the client's side is gone; the process goes on
  if (input) {
    group.spawn(async () => {
      for await (const data of input) await attachment.write(data as Buffer);
    });
  }
  group.spawn(async () => {
    for await (const { data } of attachment.output) {
      if (output?.writable && !output.write(data)) await Promise.race([once(output, 'drain'), once(output, 'close')]);
    }
    output?.end();
    input?.destroy();
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await attachment[Symbol.asyncDispose]();
      input?.destroy();
      output?.end();
      output?.destroySoon();
      await group[Symbol.asyncDispose]();
    },
  };
}
