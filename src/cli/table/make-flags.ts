import type { Flag } from '../command.ts';

/** Limits of a task: of `run`, `create` and `update`. */
export const limitFlags: readonly Flag[] = [
  { flags: '--cpu <cores>', summary: 'processors at most: 500m, 2' },
  { flags: '--memory <bytes>', summary: 'memory at most: 64Mi, 1Gi' },
  { flags: '--pids <count>', summary: 'processes and threads at most' },
  { flags: '--cpu-request <cores>', summary: 'share of processors when others want them too' },
  { flags: '--memory-request <bytes>', summary: 'memory that is kept for it when there is little' },
  { flags: '--memory-high <bytes>', summary: 'memory above which it is slowed down (cgroup v2)' },
  { flags: '--memory-swap <bytes>', summary: 'swap beside the memory' },
  { flags: '--cpuset-cpus <list>', summary: 'processors it may run on: 0-3,8' },
  { flags: '--cpuset-mems <list>', summary: 'memory nodes it may take memory from' },
  { flags: '--io-weight <weight>', summary: 'share of a busy disk, 1 to 10000; 100 is what everybody has' },
];

/** What `run` and `create` make a task of. */
export const makeFlags: readonly Flag[] = [
  { flags: '--name <id>', summary: 'id of the task (default: one is made up)' },
  { flags: '--rootfs <folder>', summary: 'a folder instead of an image; it is only read' },
  { flags: '-i, --interactive', summary: 'give it an input to write to' },
  { flags: '-t, --tty', summary: 'give it a terminal' },
  {
    flags: '-e, --env <name=value>',
    summary: 'environment variable; NAME alone takes the value from here',
    repeatable: true,
  },
  { flags: '-w, --workdir <path>', summary: 'working directory' },
  { flags: '-u, --user <user>', summary: 'user[:group], by name or number' },
  {
    flags: '-v, --volume <source:target>',
    summary: 'file or folder of the node; with :ro it is only read',
    repeatable: true,
  },
  { flags: '--tmpfs <path>', summary: 'an empty folder in memory', repeatable: true },
  { flags: '--network <mode>', summary: 'none or host (default none)', choices: ['none', 'host'] },
  { flags: '--read-only', summary: 'its root file system may only be read' },
  { flags: '--entrypoint <program>', summary: "instead of the image's" },
  { flags: '--pull <when>', summary: 'when to pull the image', choices: ['always', 'missing', 'never'] },
  {
    flags: '--restart <when>',
    summary: 'what happens when it ends (default no)',
    choices: ['no', 'on-failure', 'always'],
  },
  { flags: '--stop-signal <signal>', summary: 'sent to stop it' },
  { flags: '--stop-timeout <time>', summary: 'time between the stop signal and KILL (default 30s)' },
  { flags: '--cap-add <name>', summary: 'a capability beside the default ones', repeatable: true },
  { flags: '--cap-drop <name>', summary: 'a default capability to leave out, or ALL', repeatable: true },
  { flags: '--privileged', summary: 'every capability and device, nothing hidden' },
  { flags: '--label <name=value>', summary: "label of the container's record", repeatable: true },
  ...limitFlags,
];
