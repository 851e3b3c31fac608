import { resolve } from 'node:path';
import { unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { refuseOwned } from '../owned.ts';
import { Session } from '../session.ts';

/** Dumps a task's processes into a folder, whose path it prints. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { args, flags, shell } = invocation;
  const ref = await session.find(args[0] ?? '');
  const stop = flags.is('stop');
  await refuseOwned(session, ref, flags, { verb: 'checkpoint', more: stop ? ' --stop' : '' });
  const { runlet } = session.api;
  const folder = flags.text('path');
  const { path } = await unary(runlet.checkpoint.bind(runlet), {
    ...ref,
    stop,
    path: folder === undefined ? '' : resolve(shell.cwd, folder),
    openTcp: flags.is('tcpEstablished'),
    externalUnixSockets: flags.is('externalUnixSockets'),
    fileLocks: flags.is('fileLocks'),
  });
  await session.print({ json: () => ({ ...ref, path }), text: () => `${path}\n` });
}
