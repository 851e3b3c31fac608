import { nodeTasks, type Resource } from '../cluster/resource.ts';
import { oneShotResources } from '../one-shot/request-source.ts';
import { sessionResources } from '../session/resources.ts';

/** Every kind of ours; NodeTask first. */
export const allKinds: readonly Resource[] = [
  nodeTasks,
  ...Object.values(oneShotResources),
  ...Object.values(sessionResources),
];
