import type { ExecProcess } from '#task/exec-process.ts';
import type { Attachment } from '#task/io.ts';
import type { Exit } from '#task/runtime.ts';
import type { Task } from '#task/task.ts';
import type { SessionRecorder } from './recorder.ts';
import type { SessionClient } from './stream.ts';

export interface Conversation {
  readonly process: Task | ExecProcess;
  readonly attachment: Attachment;
  readonly client: SessionClient;
  /** Whether what the client types is handed on. */
  readonly stdin: boolean;
  /** Whether the client may send the process signals. */
  readonly signals: boolean;
  readonly recorder: SessionRecorder | undefined;
  /** Aborts when the session is to end before its process: the client has gone, or somebody ends it. */
  readonly signal: AbortSignal;
}

/**
 * Copies both ways until the process has ended and all that it wrote is sent; resolves with its end, or with undefined when the
 * session ended first.
 */
export async function converse(conversation: Conversation): Promise<Exit | undefined> {
  const { process, attachment, client, recorder, signal } = conversation;
  const leave = () => void attachment[Symbol.asyncDispose]();
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  void feed(conversation).catch(() => {}); // the process has ended, or the client has gone: the output says which
  try {
    for await (const { stream, data } of attachment.output) {
      recorder?.shown(data);
      await client.send({ kind: 'output', stream, data });
    }
    if (signal.aborted) return undefined;
    return await process.wait({ signal });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

async function feed({ process, attachment, client, stdin, signals, recorder }: Conversation): Promise<void> {
  for (;;) {
    const { done, value: input } = await client.input.next();
    if (done) return;
    switch (input.kind) {
      case 'stdin':
        if (!stdin) break;
        recorder?.typed(input.data);
        await attachment.write(input.data);
        break;
      case 'closeStdin':
        if (stdin) await attachment.closeStdin();
        break;
      case 'resize':
        recorder?.resized(input.size);
        await process.resize(input.size);
        break;
      case 'signal':
        // One that came too late is no reason to hear nothing more.
        if (signals) await process.kill(input.signal).catch(() => {});
        break;
    }
  }
}
