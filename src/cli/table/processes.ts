import { commandArgument, taskArgument, type Command, type Flag } from '../command.ts';
import { makeFlags } from './make-flags.ts';

const detachKeysFlag: Flag = {
  flags: '--detach-keys <keys>',
  summary: 'keys that let go of it without ending it (default ctrl-p,ctrl-q)',
};

/** Commands that run processes and talk with them. */
export const processCommands: readonly Command[] = [
  {
    name: 'run',
    group: 'Processes',
    summary: 'make and start a task; the exit status is its own',
    args: [{ usage: '[image-and-command...]', kind: 'image' }],
    flags: [
      { flags: '-d, --detach', summary: 'print its id and leave it running' },
      { flags: '--rm', summary: 'remove it when it has ended' },
      detachKeysFlag,
      ...makeFlags,
    ],
    examples: [
      ['runlet run --rm -it docker.io/library/busybox:1.37 sh', 'a shell of its own'],
      [
        'runlet run -d --name web --cpu 500m --memory 64Mi docker.io/library/nginx:1.29',
        'in the background, with limits',
      ],
      ['echo hi | runlet run --rm --rootfs /srv/rootfs/demo cat', 'a folder instead of an image, input from a pipe'],
    ],
    same: { ctr: '`ctr run IMAGE ID CMD…`', kubectl: '`kubectl apply` of a NodeTask' },
    passesThrough: true,
    load: () => import('../verbs/run.ts'),
  },
  {
    name: 'create',
    group: 'Processes',
    summary: 'make a task that waits for `runlet start`',
    args: [{ usage: '[image-and-command...]', kind: 'image' }],
    flags: makeFlags,
    examples: [['runlet create --name web docker.io/library/nginx:1.29', '`runlet start web` starts it']],
    same: { ctr: '`ctr containers create IMAGE ID`', kubectl: '`spec.runState: Created`' },
    passesThrough: true,
    load: () => import('../verbs/create.ts'),
  },
  {
    name: 'exec',
    group: 'Processes',
    summary: 'run another process in a task; the exit status is its own',
    args: [taskArgument, commandArgument],
    flags: [
      { flags: '-i, --interactive', summary: 'hand on what comes on stdin' },
      { flags: '-t, --tty', summary: 'give it a terminal' },
      { flags: '-d, --detach', summary: 'start it and leave it' },
      { flags: '-e, --env <name=value>', summary: 'environment variable', repeatable: true },
      { flags: '-w, --workdir <path>', summary: 'working directory' },
      { flags: '-u, --user <user>', summary: 'user[:group], by name or number' },
      detachKeysFlag,
    ],
    examples: [
      ['runlet exec web ls -l /', 'flags after the id are the command’s'],
      ['runlet exec -it web sh', 'a shell in the task'],
      ['echo hi | runlet exec -i web tee /tmp/hi', 'with input from a pipe'],
    ],
    same: {
      ctr: '`ctr tasks exec --exec-id X ID CMD…`',
      kubectl: '`kubectl runlet exec NAME -- CMD…`; a NodeTaskExec, with -it a NodeTaskExecSession',
    },
    passesThrough: true,
    load: () => import('../verbs/exec.ts'),
  },
  {
    name: 'attach',
    group: 'Processes',
    summary: "connect with the streams of a task's first process",
    args: [taskArgument],
    flags: [{ flags: '--no-stdin', summary: 'only look' }, detachKeysFlag],
    examples: [['runlet attach web', 'ctrl-p ctrl-q lets go of it again']],
    same: { ctr: '`ctr tasks attach ID`', kubectl: '`kubectl runlet attach NAME`; a NodeTaskAttachSession' },
    load: () => import('../verbs/attach.ts'),
  },
  {
    name: 'logs',
    group: 'Processes',
    summary: "print a task's log",
    args: [taskArgument],
    flags: [
      { flags: '-f, --follow', summary: 'go on until the task has ended' },
      { flags: '--tail <lines>', summary: 'only the last so many lines' },
      { flags: '--since <time>', summary: 'only what is newer: 10m, or a date' },
      { flags: '-t, --timestamps', summary: 'the time before each line' },
      { flags: '--attempt <number>', summary: 'of an earlier run, counted from 0' },
    ],
    examples: [
      ['runlet logs -f --tail 10 web', 'the last ten lines and what follows'],
      ['runlet logs --since 5m -t web', 'the last five minutes, with times'],
    ],
    same: { ctr: '–', kubectl: '`kubectl runlet logs NAME`; a NodeTaskLogSession' },
    load: () => import('../verbs/logs.ts'),
  },
];
