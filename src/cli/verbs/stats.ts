import { NotFoundError } from '#errors/errors.ts';
import type { Invocation } from '../command.ts';
import { formatTable } from '../output/table.ts';
import { Session } from '../session.ts';
import { readUsage, toUsage, usageColumns, usageJson } from './usage.ts';

/** Long enough for a rate that means something, short enough to wait for. */
const defaultSampleMs = 500;

/** Prints what tasks use now; rates are those of a short while that it waits for. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { args, flags, shell } = invocation;
  const ids = await Promise.all(args.map(async (name) => (await session.find(name)).id));
  const sampleMs = flags.durationMs('sample') ?? defaultSampleMs;
  const first = await readUsage(session, ids);
  if (sampleMs > 0) await shell.pause(sampleMs);
  const usage = toUsage(sampleMs > 0 ? first : undefined, sampleMs > 0 ? await readUsage(session, ids) : first);
  const missing = ids.find((id) => !usage.some((task) => task.id === id));
  if (missing !== undefined) throw new NotFoundError(`task ${missing} does not run: it uses nothing`);
  await session.print({
    json: () => usage.map(usageJson),
    text: () =>
      formatTable(usageColumns({ namespace: session.namespace === undefined, wide: flags.is('wide') }), usage),
  });
}
