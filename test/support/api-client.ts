import { KubernetesClient } from '#kubernetes/client/client.ts';
import { Transport } from '#kubernetes/client/transport.ts';
import { ManualClock } from './manual-clock.ts';
import { ScriptedServer } from './scripted-server.ts';

/** A client of a scripted server, with a clock whose hands the test turns. */
export interface ScriptedApi extends AsyncDisposable {
  readonly server: ScriptedServer;
  readonly client: KubernetesClient;
  readonly clock: ManualClock;
}

/** Makes one; disposing of it ends the server too. */
export async function scriptedApi(): Promise<ScriptedApi> {
  const server = await ScriptedServer.start();
  const clock = new ManualClock();
  const transport = new Transport({ access: { server: server.url, insecure: false }, clock });
  return {
    server,
    clock,
    client: new KubernetesClient({ transport, clock }),
    [Symbol.asyncDispose]: async () => {
      await transport[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Waits until it is so, for the network only: the clock stands still. */
export async function until(good: () => boolean, what = 'what is waited for'): Promise<void> {
  const end = performance.now() + 15_000;
  while (!good()) {
    if (performance.now() > end) throw new Error(`${what} never came`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
