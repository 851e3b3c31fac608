import type { TaskManager } from '#task/task-manager.ts';
import type { InfoReply } from '../gen/runlet/v1/runlet.ts';
import type { DesiredState } from '../ports.ts';

export interface InfoOptions {
  readonly tasks: Pick<TaskManager, 'list'>;
  readonly desired: DesiredState;
  readonly version: string;
  readonly nodeName: string;
}

/** How the agent is, for people who administer it. */
export function info({ tasks, desired, version, nodeName }: InfoOptions): InfoReply {
  const { source, ready, notes } = desired.about?.() ?? { source: '', ready: true, notes: [] };
  const all = tasks.list();
  return {
    ...{ version, node: nodeName, source },
    notReady: ready === true ? '' : ready,
    notes: [...notes],
    tasks: all.length,
    running: all.filter(({ status }) => status === 'running').length,
  };
}
