import { unary } from '#api/client.ts';
import { InvalidArgumentError } from '#errors/errors.ts';
import type { Invocation } from '../command.ts';
import { forEachTask } from '../each.ts';
import { refuseOwned } from '../owned.ts';
import { writeLine } from '../shell.ts';
import { resourcesOf } from '../task-spec.ts';

/** Changes limits of tasks while they run. */
export async function run(invocation: Invocation): Promise<number> {
  const { flags, shell } = invocation;
  const resources = resourcesOf(flags);
  if (!resources)
    throw new InvalidArgumentError('nothing to change: name a limit, such as --cpu 500m or --memory 64Mi');
  return await forEachTask(invocation, async (session, ref) => {
    await refuseOwned(session, ref, flags, { verb: 'update', spec: { resources } });
    const { runlet } = session.api;
    const request = { ...ref, resourcesJson: JSON.stringify(resources) };
    const { warnings } = await unary(runlet.update.bind(runlet), request);
    for (const warning of warnings) await writeLine(shell.stderr, `warning: ${warning}`);
    return { resources, ...(warnings.length > 0 ? { warnings } : {}) };
  });
}
