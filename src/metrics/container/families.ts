import { includesDetail, type StatsDetail } from '#cgroup/stats.ts';
import { families, type Family } from '../row.ts';
import { cpuRows } from './cpu.ts';
import { hugetlbRows } from './hugetlb.ts';
import { ioRows } from './io.ts';
import { memoryRows } from './memory.ts';
import { networkRows } from './network.ts';
import { pidsRows } from './pids.ts';
import { pressureRows } from './pressure.ts';
import type { TaskSample } from './sample.ts';
import { groupRows, stateRows } from './state.ts';

/** Every family that a task can have, in the order in which they are written. */
export const taskFamilies: readonly Family<TaskSample>[] = [
  ...families((sample: TaskSample) => sample, stateRows),
  ...families((sample: TaskSample) => sample.stats?.cpu, cpuRows),
  ...families((sample: TaskSample) => sample.stats?.memory, memoryRows),
  ...families((sample: TaskSample) => sample.stats?.pids, pidsRows),
  ...families((sample: TaskSample) => sample.stats?.io, ioRows),
  ...families((sample: TaskSample) => sample.stats?.hugetlb, hugetlbRows),
  ...families((sample: TaskSample) => sample.stats?.pressure, pressureRows),
  ...families((sample: TaskSample) => sample.stats?.network, networkRows),
  ...families((sample: TaskSample) => sample.stats?.group, groupRows),
];

/** Those of a profile. */
export function familiesOf(profile: StatsDetail): readonly Family<TaskSample>[] {
  return taskFamilies.filter((family) => includesDetail(profile, family.profile));
}
