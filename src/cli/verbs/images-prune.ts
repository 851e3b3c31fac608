import { unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { formatBytes } from '../output/units.ts';
import { Session } from '../session.ts';

/** Removes every image that no task uses. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { runlet } = session.api;
  const { removed, freedBytes } = await unary(runlet.pruneImages.bind(runlet), {});
  await session.print({
    json: () => ({ removed, freedBytes: Number(freedBytes) }),
    text: () => `${removed.map((reference) => `${reference}\n`).join('')}${formatBytes(freedBytes)} freed\n`,
  });
}
