import { taskArgument, tasksArgument, type Command } from '../command.ts';

/** Commands that look at the node. */
export const nodeCommands: readonly Command[] = [
  {
    name: 'ps',
    group: 'Tasks',
    summary: 'list tasks, of all namespaces unless -n names one',
    args: [tasksArgument],
    flags: [{ flags: '-q, --quiet', summary: 'only ids' }],
    examples: [
      ['runlet ps', 'every task on the node'],
      ['runlet ps -n k8s.team-a', 'those of the NodeTasks in Kubernetes namespace team-a'],
      ['runlet ps -o json', 'for programs'],
    ],
    same: { ctr: '`ctr tasks ls`, one namespace', kubectl: '`kubectl get nodetasks.runlet.dev -A -o wide`' },
    load: () => import('../verbs/ps.ts'),
  },
  {
    name: 'inspect',
    group: 'Tasks',
    summary: 'print everything that is known of a task, as JSON',
    args: [{ ...taskArgument, usage: '<ids...>' }],
    flags: [],
    examples: [['runlet inspect web', 'state, limits, processes, streams, specification, NodeTask']],
    same: { ctr: '`ctr containers info ID`', kubectl: '`kubectl get nodetasks.runlet.dev NAME -o yaml`' },
    load: () => import('../verbs/inspect.ts'),
  },
  {
    name: 'stats',
    group: 'Tasks',
    summary: 'print what tasks use now: CPU, memory, pids and their limits',
    args: [tasksArgument],
    flags: [
      { flags: '--sample <time>', summary: 'time over which the rate of CPU is taken (default 500ms; 0 for none)' },
    ],
    examples: [
      ['runlet stats', 'every task on the node'],
      ['runlet stats web --sample 5s', 'one task, its CPU over five seconds'],
      ['runlet stats -o json', 'in bytes and seconds, for programs'],
    ],
    same: { ctr: '`ctr tasks metrics ID`', kubectl: '`kubectl runlet top NAME`; Prometheus' },
    load: () => import('../verbs/stats.ts'),
  },
  {
    name: 'version',
    group: 'Node',
    summary: 'print the versions of this program and of the agent',
    args: [],
    flags: [],
    examples: [['runlet version -o json', 'for programs']],
    same: { ctr: '`ctr version`', kubectl: '–' },
    load: () => import('../verbs/version.ts'),
  },
];
