import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';
import { attach } from '../terminal/attach.ts';
import { defaultDetachKeys, parseDetachKeys } from '../terminal/detach-keys.ts';

/** Connects with the streams of a task's first process; the exit status is the process's own. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, flags, shell } = invocation;
  const detachKeys = parseDetachKeys(flags.text('detachKeys') ?? defaultDetachKeys);
  using session = new Session(invocation);
  const ref = await session.find(args[0] ?? '');
  const start = { ...ref, exec: undefined, stdin: !flags.is('noStdin'), detach: false };
  return (await attach(session, shell, { start, detachKeys })).status;
}
