import { unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { forEachTask } from '../each.ts';
import { refuseOwned } from '../owned.ts';

/** Removes tasks with their containers and what they wrote. `--force`: also ones that run or that belong to a NodeTask. */
export async function run(invocation: Invocation): Promise<number> {
  const force = invocation.flags.is('force');
  return await forEachTask(invocation, async (session, ref) => {
    await refuseOwned(session, ref, invocation.flags, { verb: 'rm' });
    const { runlet } = session.api;
    await unary(runlet.remove.bind(runlet), { ...ref, force });
  });
}
