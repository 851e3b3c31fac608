import type { SessionDoor } from '#api/ports.ts';
import { SessionServer } from '#api/session-server.ts';
import type { Config } from '#config/config.ts';
import type { Log } from '#log/log.ts';
import type { Core } from './core.ts';

/**
 * Serves sessions that the cluster announces until disposed of; nothing where none can come. Throws UnavailableError when the
 * port is taken.
 */
export async function serveSessions(options: {
  readonly config: Config;
  readonly core: Core;
  readonly sessions: (SessionDoor & AsyncDisposable) | undefined;
  readonly log: Log;
}): Promise<AsyncDisposable> {
  const { config, core, sessions, log } = options;
  const address = config.streamAddress;
  if (!sessions || !address) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  const server = new SessionServer({ address, door: sessions, clock: core.clock, log });
  const port = await server.listen();
  log.info({ streamAddress: `${address.host}:${port}` }, 'sessions are served');
  return {
    [Symbol.asyncDispose]: async () => {
      // Clients are told why before their connections end.
      await sessions[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
