import { Command, CommanderError, InvalidArgumentError as WrongArgument, Option } from 'commander';
import { duration, hostAndPort } from '#config/values.ts';
import { errorMessage, RunletError } from '#errors/errors.ts';
import { createLog } from '#log/log.ts';
import type { ControllerSettings } from '#controller.ts';
import type { Shell } from './shell.ts';

interface Given {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly agentSelector: string;
  readonly grace: number;
  readonly timeout: number;
  readonly lease: string;
  readonly healthAddress?: { readonly host: string; readonly port: number };
}

const minuteMs = 60_000;

/**
 * `runlet controller`: says what agents of lost nodes cannot, until SIGTERM or SIGINT. `controller check` tells whether an
 * installation works; `controller stop` and `controller release` are for its end. Resolves with the exit status.
 */
export async function main(argv: readonly string[], shell: Shell): Promise<number> {
  const stop = new AbortController();
  const leave = () => stop.abort(new Error('told to leave'));
  using _term = shell.onSignal('SIGTERM', leave);
  using _int = shell.onSignal('SIGINT', leave);
  let status = 0;
  const command = buildCommand(shell, async (verb, given) => {
    status = await run(verb, given, shell, stop.signal);
  });
  try {
    await command.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
}

type Verb = 'run' | 'check' | 'stop' | 'release';

async function run(verb: Verb, given: Given, shell: Shell, signal: AbortSignal): Promise<number> {
  const log = createLog({ level: 'info', pretty: shell.stderr.isTTY === true });
  const { grace, timeout, ...rest } = given;
  const settings: ControllerSettings = { ...rest, graceMs: grace, timeoutMs: timeout, env: shell.env, log, signal };
  // Loaded here: help is answered without a client of Kubernetes.
  const controller = await import('#controller.ts');
  try {
    if (verb === 'check') return tell(await controller.check(settings), shell);
    if (verb === 'stop') await controller.stopTasks(settings);
    else if (verb === 'release') await controller.releaseObjects(settings);
    else await controller.runController(settings);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    const facts = error instanceof RunletError ? { reason: error.message, ...error.details } : { err: error };
    log.error(facts, `controller ended: ${errorMessage(error)}`);
    return 1;
  }
}

function tell(outcome: true | string, shell: Shell): number {
  shell.stdout.write(outcome === true ? 'every kind is served and every agent is ready\n' : `${outcome}\n`);
  return outcome === true ? 0 : 1;
}

function buildCommand(shell: Shell, act: (verb: Verb, given: Given) => Promise<void>): Command {
  const command = new Command('runlet controller')
    .description(
      'Speaks for agents that cannot: NodeTasks of a node whose agent is silent say so, and objects that are being deleted on a node that is gone are freed. One leads, others stand by.',
    )
    .argument('[verb]', 'check, stop or release instead of running')
    .helpOption('-h, --help', 'print help')
    .showHelpAfterError('(`runlet controller --help` lists the flags)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => shell.stdout.write(text),
      writeErr: (text) => shell.stderr.write(text),
    })
    .addOption(new Option('--kubeconfig <FILE>', 'the cluster; default the one that its pod runs in'))
    .addOption(new Option('--namespace <NAME>', 'where the agents’ pods and the Lease are').default('runlet-system'))
    .addOption(
      new Option('--agent-selector <LABELS>', 'labels of the agents’ pods').default(
        'app.kubernetes.io/name=runlet,app.kubernetes.io/component=agent',
      ),
    )
    .addOption(timeOption('--grace <TIME>', 'how long an agent may be silent', 2 * minuteMs))
    .addOption(timeOption('--timeout <TIME>', 'how long stop and release wait', 5 * minuteMs))
    .addOption(new Option('--lease <NAME>', 'name of the Lease by which one leads').default('runlet-controller'))
    .addOption(
      new Option('--health-address <HOST:PORT>', 'where /healthz is served').argParser((text: string) =>
        parsed(hostAndPort, text),
      ),
    );
  return command.action(async (verb: string | undefined) => {
    if (verb !== undefined && !['check', 'stop', 'release'].includes(verb)) {
      command.error(`error: no verb ${verb}: there are check, stop and release`);
    }
    await act((verb ?? 'run') as Verb, command.opts<Given>());
  });
}

function timeOption(flags: string, summary: string, defaultMs: number): Option {
  return new Option(flags, summary)
    .argParser((text: string) => parsed(duration, text))
    .default(defaultMs, `${defaultMs / minuteMs}m`);
}

function parsed<T>(
  schema: { safeParse(value: unknown): { success: boolean; data?: T; error?: Error } },
  text: string,
): T {
  const result = schema.safeParse(text);
  if (result.success) return result.data as T;
  const [issue] = (result.error as unknown as { issues?: { message: string }[] }).issues ?? [];
  throw new WrongArgument(issue?.message ?? 'is wrong');
}
