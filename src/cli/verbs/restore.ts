import { resolve } from 'node:path';
import { unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { refuseOwned } from '../owned.ts';
import { Session } from '../session.ts';

/** Makes and starts the task of a container anew from a checkpoint; prints its id. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { args, flags, shell } = invocation;
  const ref = await session.find(args[0] ?? '');
  await refuseOwned(session, ref, flags, { verb: 'restore' });
  const { runlet } = session.api;
  const folder = flags.text('path');
  const request = { ...ref, path: folder === undefined ? '' : resolve(shell.cwd, folder) };
  const { pid } = await unary(runlet.restore.bind(runlet), request);
  await session.print({ json: () => ({ ...ref, pid }), text: () => `${ref.id}\n` });
}
