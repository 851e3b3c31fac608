import type { DesiredState } from '#api/ports.ts';
import type { Log } from '#log/log.ts';
import type { RunningDesiredState } from '../desired-state.ts';

/** What the API sees of the desired state, with a way to stop following it for good, as a drain does. */
export function suspendable(running: RunningDesiredState, log: Log): DesiredState {
  const { view } = running;
  let suspended: Promise<void> | undefined;
  return {
    describe: (ref) => view.describe(ref),
    withoutTask: () => view.withoutTask(),
    restarts: (ref) => view.restarts(ref),
    about: () => ({ source: running.source, ready: running.ready, notes: running.notes() }),
    suspend: () => {
      suspended ??= (async () => {
        await running[Symbol.asyncDispose]();
        log.info({}, 'desired state is followed no more until the agent is started again');
      })();
      return suspended;
    },
  };
}
