import { unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { forEachTask } from '../each.ts';
import { refuseOwned } from '../owned.ts';

/** Ends tasks that run, and makes and starts them anew. */
export async function run(invocation: Invocation): Promise<number> {
  return await forEachTask(invocation, async (session, ref) => {
    await refuseOwned(session, ref, invocation.flags, { verb: 'restart' });
    const { runlet } = session.api;
    const { pid } = await unary(runlet.restart.bind(runlet), ref);
    return { pid };
  });
}
