/** A process with many simulated agents; `Fleet` starts it and tells it which. */
import { systemClock } from '#async/clock.ts';
import { startSimulatedAgent } from '../test/support/simulated-agent.ts';
import type { FleetAnswer, FleetRequest } from './fleet.ts';

const [kubeconfig = '', folder = ''] = process.argv.slice(2);
let requests = 0;

async function answer({ start }: FleetRequest): Promise<FleetAnswer> {
  const onRequest = () => void (requests += 1);
  for (const nodeName of start) {
    await startSimulatedAgent({ nodeName, kubeconfig, folder, clock: systemClock, onRequest });
  }
  return { requests };
}

// Its agents end with it: what they leave is in its folder.
process.on('disconnect', () => process.exit(0));
process.on('message', (request: FleetRequest) => {
  void answer(request).then(
    (told) => process.send?.(told),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
