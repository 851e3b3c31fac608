import { unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { forEachTask } from '../each.ts';
import { refuseOwned } from '../owned.ts';

/** Ends tasks: stop signal, grace period, KILL. Resolves once they have ended. */
export async function run(invocation: Invocation): Promise<number> {
  const { flags } = invocation;
  const graceMs = flags.durationMs('grace');
  return await forEachTask(invocation, async (session, ref) => {
    await refuseOwned(session, ref, flags, { verb: 'stop' });
    const { runlet } = session.api;
    const request = { ...ref, ...(graceMs === undefined ? {} : { graceMs: Math.round(graceMs) }) };
    const { exit } = await unary(runlet.stop.bind(runlet), request);
    return exit && { exitStatus: exit.status, reason: exit.reason };
  });
}
