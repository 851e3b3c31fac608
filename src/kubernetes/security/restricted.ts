import type { NodeTask } from '../node-task/types.ts';
import { baselineRules, capabilityProblems, type LevelRule } from './baseline.ts';

const restrictedCapabilities: ReadonlySet<string> = new Set(['CAP_NET_BIND_SERVICE']);

const security = 'spec.securityContext';

/** What `restricted` asks: all of baseline, and more. */
export const restrictedRules: readonly LevelRule[] = [
  ...baselineRules,
  (_, spec) => capabilityProblems(spec, restrictedCapabilities),
  (_, { process }) =>
    process?.noNewPrivileges === true
      ? []
      : [{ path: `${security}.allowPrivilegeEscalation`, rule: 'must be false or absent' }],
  (_, { process }) =>
    (process?.user?.uid ?? 0) === 0
      ? [{ path: `${security}.runAsUser`, rule: 'must not be 0, nor the image’s user be root: name another user' }]
      : [],
  (_, { linux }) =>
    linux?.seccomp
      ? []
      : [
          {
            path: `${security}.seccompProfile.type`,
            rule: 'must be RuntimeDefault or Localhost, on a kernel with seccomp',
          },
        ],
];

/**
 * The task as it is made under `restricted`: capabilities that it does not name are dropped, as a Pod of such a namespace
 * must say itself. `add: [ALL]` stays, to be refused.
 */
export function withoutUnnamedCapabilities(task: NodeTask): NodeTask {
  const { securityContext = {} } = task.spec;
  const { add = [], drop = [] } = securityContext.capabilities ?? {};
  if (drop.includes('ALL') || add.includes('ALL')) return task;
  const capabilities = { add, drop: [...drop, 'ALL'] };
  return { ...task, spec: { ...task.spec, securityContext: { ...securityContext, capabilities } } };
}
