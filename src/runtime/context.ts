import type { Clock } from '#async/clock.ts';
import type { CgroupGroup } from '#cgroup/group.ts';
import type { Hierarchy } from '#cgroup/hierarchy.ts';
import type { Log } from '#log/log.ts';

/** What every part of the runtime needs to know of this machine and agent. */
export interface RuntimeContext {
  /** Where the bundles are, `<state>/tasks`. */
  readonly tasksFolder: string;
  readonly hierarchy: Hierarchy;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  /** Where monitors live, outside the agent's own cgroup, so that they outlive its pod. */
  readonly monitors: CgroupGroup;
  /** The cgroup below which each restore's own helpers get one; see restore/gate.ts. */
  readonly helpersPath: string;
  /** Where programs of ours may be run. */
  readonly programsFolder: string;
  /** Absolute path of conmon. */
  readonly conmon: string;
  /** A folder that goes before PATH for the runtime, where CRIU is not on it. */
  readonly criuFolder?: string;
  /** Whether to go by runc's files instead of its command where both do the same. */
  readonly fastPaths: boolean;
  readonly clock: Clock;
  readonly log: Log;
}
