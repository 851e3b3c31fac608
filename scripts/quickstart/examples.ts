import { loadAll } from 'js-yaml';

/** What a quickstart waits for: a task and the states that fulfil what its file asks. */
export interface AskedState {
  readonly id: string;
  readonly states: readonly string[];
}

/** The part of a line of `runlet ps -o json` that is looked at. */
export interface ListedTask {
  readonly id: string;
  readonly status: string;
}

interface Manifest {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly runState?: string; readonly restartPolicy?: string };
}

/** What the NodeTasks of a manifest file ask for. A task that may end by itself is also well when it has ended. */
export function askedStates(text: string): readonly AskedState[] {
  return (loadAll(text) as Manifest[]).map(({ metadata, spec }) => ({ id: metadata.name, states: statesOf(spec) }));
}

function statesOf({ runState = 'Running', restartPolicy = 'Always' }: Manifest['spec']): readonly string[] {
  if (runState !== 'Running') return [runState.toLowerCase()];
  return restartPolicy === 'Always' ? ['running'] : ['running', 'stopped'];
}

/** Those that are not yet as asked, each as `NAME is STATUS, not STATE`. */
export function stillMissing(asked: readonly AskedState[], listed: readonly ListedTask[]): readonly string[] {
  return asked.flatMap(({ id, states }) => {
    const status = listed.find((task) => task.id === id)?.status ?? 'absent';
    return states.includes(status) ? [] : [`${id} is ${status}, not ${states.join(' or ')}`];
  });
}
