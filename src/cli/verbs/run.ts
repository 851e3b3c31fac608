import { inNamespace, unary } from '#api/client.ts';
import { InvalidArgumentError } from '#errors/errors.ts';
import type { Invocation } from '../command.ts';
import { Session, type Ref } from '../session.ts';
import { attach } from '../terminal/attach.ts';
import { defaultDetachKeys, parseDetachKeys } from '../terminal/detach-keys.ts';
import { startFailure } from '../exit-status.ts';
import { makeTask } from './make-task.ts';

/**
 * Makes and starts a task. With -d it prints the id; else it stays connected, and the exit status is the process's own.
 * Input is handed on with -i, and where it is a pipe or file.
 */
export async function run(invocation: Invocation): Promise<number> {
  const { args, flags, shell } = invocation;
  const detached = flags.is('detach');
  if (detached && flags.is('rm')) throw new InvalidArgumentError('--rm waits for the end of the task, -d does not');
  const detachKeys = parseDetachKeys(flags.text('detachKeys') ?? defaultDetachKeys);
  const stdin = flags.is('interactive') || (!detached && !flags.is('tty') && !shell.stdin.isTTY);
  using session = new Session(invocation);
  const ref = await makeTask(session, shell, flags, { args, stdin, stdinOnce: !detached }).catch((error: unknown) => {
    throw startFailure(error);
  });
  const starting = () => startOrRemove(session, ref);
  if (detached) {
    const pid = await starting();
    await session.print({ json: () => ({ ...ref, pid }), text: () => `${ref.id}\n` });
    return 0;
  }
  const start = { ...ref, exec: undefined, stdin, detach: false };
  const onConnected = async () => void (await starting());
  const outcome = await attach(session, shell, { start, detachKeys, onConnected });
  if (flags.is('rm') && outcome.kind === 'exited') await remove(session, ref);
  return outcome.status;
}

/** A task that cannot start is not left behind. */
async function startOrRemove(session: Session, { namespace, id }: Ref): Promise<number> {
  const { tasks } = session.api;
  const request = { containerId: id, execId: '' };
  try {
    return (await unary(tasks.start.bind(tasks), request, { metadata: inNamespace(namespace) })).pid;
  } catch (error) {
    await remove(session, { namespace, id }).catch(() => {});
    throw startFailure(error);
  }
}

async function remove(session: Session, ref: Ref): Promise<void> {
  const { runlet } = session.api;
  await unary(runlet.remove.bind(runlet), { ...ref, force: true });
}
