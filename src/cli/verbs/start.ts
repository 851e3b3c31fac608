import { inNamespace, unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { forEachTask } from '../each.ts';
import { refuseOwned } from '../owned.ts';

/** Starts tasks that were made and wait. */
export async function run(invocation: Invocation): Promise<number> {
  return await forEachTask(invocation, async (session, ref) => {
    await refuseOwned(session, ref, invocation.flags, { verb: 'start' });
    const { tasks } = session.api;
    const request = { containerId: ref.id, execId: '' };
    const { pid } = await unary(tasks.start.bind(tasks), request, { metadata: inNamespace(ref.namespace) });
    return { pid };
  });
}
