import { inNamespace, unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { forEachTask } from '../each.ts';
import { refuseOwned } from '../owned.ts';

/** Lets paused tasks go on. */
export async function run(invocation: Invocation): Promise<number> {
  return await forEachTask(invocation, async (session, ref) => {
    await refuseOwned(session, ref, invocation.flags, { verb: 'resume' });
    const { tasks } = session.api;
    await unary(tasks.resume.bind(tasks), { containerId: ref.id }, { metadata: inNamespace(ref.namespace) });
  });
}
