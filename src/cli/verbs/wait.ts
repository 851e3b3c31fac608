import { inNamespace, unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';

/** Waits for the end of a task, or of one of its execs; the exit status is the process's own, 255 when nobody saw it. */
export async function run(invocation: Invocation): Promise<number> {
  using session = new Session(invocation);
  const { args, flags } = invocation;
  const { namespace, id } = await session.find(args[0] ?? '');
  const { tasks } = session.api;
  const request = { containerId: id, execId: flags.text('exec') ?? '' };
  const { exitStatus } = await unary(tasks.wait.bind(tasks), request, { metadata: inNamespace(namespace) });
  if (session.json) await session.print({ json: () => ({ namespace, id, exitStatus }), text: () => '' });
  return exitStatus;
}
