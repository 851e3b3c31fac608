import { Command as Commander } from 'commander';
import type { Flag } from '../command.ts';
import { Flags } from '../flags.ts';
import { addFlags, explainFailure, outputOf } from '../program.ts';
import { write, type Shell } from '../shell.ts';
import { askVerb, completionScript, completionTargets, offer, printed } from './completion.ts';
import { describe } from './describe.ts';
import { Kubectl, kubectlFlags } from './kubectl.ts';
import { attach, logs, top } from './session-verbs.ts';
import { checkpoint, exec, kill, restart, setRunState, type PluginCall } from './verbs.ts';

interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  readonly example: string;
  readonly command?: true;
  readonly run: (call: PluginCall) => Promise<number>;
}

const waitFlags: readonly Flag[] = [
  { flags: '--no-wait', summary: 'do not wait until it is so' },
  { flags: '--timeout <time>', summary: 'how long to wait (default 60s)' },
];

const agentFlag: Flag = { flags: '--agent-namespace <name>', summary: 'where the agents run (default runlet-system)' };

/** Every verb of `kubectl runlet`. */
export const verbs: readonly Verb[] = [
  {
    name: 'exec',
    summary: 'run a command in a task; without -i and -t it is recorded as a NodeTaskExec',
    flags: [
      { flags: '-i, --interactive', summary: 'hand on what comes on stdin' },
      { flags: '-t, --tty', summary: 'give it a terminal' },
      { flags: '--timeout <time>', summary: 'how long a recorded one may run (default 60s)' },
      agentFlag,
    ],
    example: 'kubectl runlet exec demo -n team-a -- ls -l /',
    command: true,
    run: exec,
  },
  {
    name: 'attach',
    summary: "connect with the task's first process",
    flags: [
      { flags: '--no-stdin', summary: 'only look on: nothing that is typed is handed on' },
      { flags: '--detach-keys <keys>', summary: 'what lets go of it without ending it (default ctrl-p,ctrl-q)' },
      { flags: '-i, --interactive', summary: 'hand on what is typed, as is usual' },
      { flags: '-t, --tty', summary: 'use its terminal where it has one, as is usual' },
      agentFlag,
    ],
    example: 'kubectl runlet attach demo',
    run: attach,
  },
  {
    name: 'logs',
    summary: "print the task's log",
    flags: [
      { flags: '-f, --follow', summary: 'go on until the task has ended' },
      { flags: '--tail <lines>', summary: 'only the last so many lines' },
      { flags: '--since <time>', summary: 'only what is newer: 10m, or a date' },
      { flags: '--timestamps', summary: 'the time before each line' },
      { flags: '--attempt <number>', summary: 'of an earlier run, counted from 0' },
      agentFlag,
    ],
    example: 'kubectl runlet logs -f --tail 10 demo',
    run: logs,
  },
  {
    name: 'kill',
    summary: 'send a signal, as a NodeTaskSignal',
    flags: [
      { flags: '-s, --signal <signal>', summary: 'name or number (default TERM)' },
      { flags: '-a, --all', summary: 'to every process of the task' },
    ],
    example: 'kubectl runlet kill -s HUP demo',
    run: kill,
  },
  {
    name: 'pause',
    summary: 'freeze the task',
    flags: waitFlags,
    example: 'kubectl runlet pause demo',
    run: (call) => setRunState(call, 'Paused'),
  },
  {
    name: 'resume',
    summary: 'let it go on',
    flags: waitFlags,
    example: 'kubectl runlet resume demo',
    run: (call) => setRunState(call, 'Running'),
  },
  {
    name: 'restart',
    summary: 'restart it in place',
    flags: waitFlags,
    example: 'kubectl runlet restart demo',
    run: restart,
  },
  {
    name: 'top',
    summary: 'print what the task uses',
    flags: [{ flags: '-w, --watch', summary: 'again and again, until the task ends' }, agentFlag],
    example: 'kubectl runlet top demo',
    run: top,
  },
  {
    name: 'checkpoint',
    summary: 'dump its processes, as a NodeTaskCheckpoint',
    flags: [
      { flags: '--stop', summary: 'end the run with the dump' },
      { flags: '--name <name>', summary: 'name of the object (default: one is made up)' },
    ],
    example: 'kubectl runlet checkpoint demo --name before-upgrade',
    run: checkpoint,
  },
  {
    name: 'describe',
    summary: 'print state, conditions, latest requests and events',
    flags: [],
    example: 'kubectl runlet describe demo',
    run: describe,
  },
];

/** Runs the plugin with these arguments; resolves with its exit status. */
export async function runPlugin(argv: readonly string[], shell: Shell): Promise<number> {
  if (argv[0] === askVerb) {
    await write(shell.stdout, printed(await offer(argv.slice(1), verbs, shell)));
    return 0;
  }
  let status = 0;
  const program = new Commander('kubectl runlet')
    .description('Verbs for NodeTasks that kubectl itself lacks. It calls your kubectl, with your flags.')
    .version(shell.version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput(outputOf(shell));
  for (const verb of verbs) addVerb(program, verb, shell, (exitStatus) => (status = exitStatus));
  program
    .command('completion')
    .summary('print a completion script, or the program by which kubectl itself completes')
    .helpOption('-h, --help', 'print help')
    .argument('<for>', completionTargets.join(', '))
    .action(async (target: string) => await write(shell.stdout, completionScript(target)));
  try {
    await program.parseAsync(argv, { from: 'user' });
    return status;
  } catch (error) {
    return explainFailure(error, shell);
  }
}

function addVerb(program: Commander, verb: Verb, shell: Shell, done: (status: number) => void): void {
  const command = program
    .command(verb.name)
    .summary(verb.summary)
    .description(verb.summary)
    .helpOption('-h, --help', 'print help')
    .addHelpText('after', `\nExample:\n  ${verb.example}\n`)
    .argument('<name>', 'name of the NodeTask');
  if (verb.command) command.argument('[command...]', 'after --: the command and its arguments');
  addFlags(command, verb.flags);
  addFlags(command, kubectlFlags, "kubectl's options:");
  command.action(async (name: string, rest: unknown) => {
    const flags = new Flags(pluginValues(command));
    const call = {
      kubectl: new Kubectl(shell, flags),
      shell,
      flags,
      name,
      rest: Array.isArray(rest) ? rest.map(String) : [],
    };
    done(await verb.run(call));
  });
}

/** commander turns `--no-wait` into `wait: false`. */
function pluginValues(command: Commander): Record<string, unknown> {
  const values = command.opts<Record<string, unknown>>();
  return { ...values, noWait: values['wait'] === false, noStdin: values['stdin'] === false };
}
