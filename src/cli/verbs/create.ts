import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';
import { makeTask } from './make-task.ts';

/** Makes a task that waits for `runlet start`, and prints its id. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { args, flags, shell } = invocation;
  const ref = await makeTask(session, shell, flags, { args, stdin: flags.is('interactive'), stdinOnce: false });
  await session.print({ json: () => ref, text: () => `${ref.id}\n` });
}
