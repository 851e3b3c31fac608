import { nodeTasks, type Resource } from '../cluster/resource.ts';

/** Every kind of ours; NodeTask first. */
export const allKinds: readonly Resource[] = [
  nodeTasks,
  { kind: 'NodeTaskExec', plural: 'nodetaskexecs' },
  { kind: 'NodeTaskSignal', plural: 'nodetasksignals' },
  { kind: 'NodeTaskCheckpoint', plural: 'nodetaskcheckpoints' },
];
