import type { DesiredState } from '#api/ports.ts';
import type { Config } from '#config/config.ts';
import type { Log } from '#log/log.ts';
import type { Core } from './agent/core.ts';

/** The desired state that the agent follows, while it runs. */
export interface RunningDesiredState extends AsyncDisposable {
  /** What the API tells of it. */
  readonly view: DesiredState;
  /** Whether it has been read once; a text says what is still missing. */
  readonly ready: true | string;
}

/** Of an agent that is given neither a folder of manifests nor a cluster: only what people make is there. */
const nothing: DesiredState = {
  describe: () => undefined,
  withoutTask: () => [],
  restarts: () => undefined,
};

/** Begins to follow what the configuration names. */
export function followDesiredState(_config: Config, _core: Core, _log: Log): Promise<RunningDesiredState> {
  return Promise.resolve({ view: nothing, ready: true, [Symbol.asyncDispose]: () => Promise.resolve() });
}
