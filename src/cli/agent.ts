import { Command, CommanderError, Option } from 'commander';
import { loadConfig } from '#config/load.ts';
import { defaultTextOf } from '#config/document.ts';
import { flagOf, settings, variableOf, type RawSettings, type Setting } from '#config/schema.ts';
import { errorMessage, InvalidArgumentError, RunletError } from '#errors/errors.ts';
import { createLog, type Log } from '#log/log.ts';
import type { Shell } from './shell.ts';
import { keepYoungGenerationSmall } from './young-generation.ts';

/** From the signal until the agent leaves whatever is still under way; whoever stops it then need not kill it. */
const leaveMs = 5000;

/** `runlet agent`: runs the agent until SIGTERM or SIGINT. Resolves with the exit status: 2 for settings that are wrong. */
export async function main(argv: readonly string[], shell: Shell): Promise<number> {
  keepYoungGenerationSmall();
  const command = buildCommand(shell);
  try {
    command.parse([...argv], { from: 'user' });
    const { config: file, ...flags } = command.opts<RawSettings & { readonly config?: string }>();
    const config = loadConfig({ flags, env: shell.env, ...(file === undefined ? {} : { file }) });
    const pretty = config.logFormat === 'text' || (config.logFormat === 'auto' && shell.stderr.isTTY === true);
    return await run(config, createLog({ level: config.logLevel, pretty }), shell);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof InvalidArgumentError)) throw error;
    shell.stderr.write(`error: ${error.message}\n`);
    return 2;
  }
}

async function run(config: ReturnType<typeof loadConfig>, log: Log, shell: Shell): Promise<number> {
  const stop = new AbortController();
  const leave = () => {
    // Told twice, it does not wait for what is under way.
    if (stop.signal.aborted) process.exit(0);
    stop.abort();
    setTimeout(() => {
      log.warn({ afterMs: leaveMs }, 'leaving although something is still under way; the next agent takes it up');
      process.exit(0);
    }, leaveMs).unref();
  };
  using _term = shell.onSignal('SIGTERM', leave);
  using _int = shell.onSignal('SIGINT', leave);
  // A service's reload: there is nothing to read anew, and the default would end the agent.
  using _hup = shell.onSignal('SIGHUP', () => {});
  // Loaded here: help and wrong settings are answered without all of the agent.
  const { runAgent } = await import('#agent.ts');
  // A fault of ours ends the agent, for its service to start it anew; its log says what it was.
  process.on('uncaughtExceptionMonitor', (error, origin) => log.fatal({ err: error, origin }, 'agent failed'));
  try {
    await runAgent({ config, version: shell.version, log, stop: stop.signal });
    return 0;
  } catch (error) {
    const facts = error instanceof RunletError ? { reason: error.message, ...error.details } : { err: error };
    log.error(facts, `agent ended: ${errorMessage(error)}`);
    return 1;
  }
}

function buildCommand(shell: Shell): Command {
  const command = new Command('runlet agent')
    .description(
      'Runs the agent of this node. Settings come from a file, the environment and flags; later ones win. ' +
        'On SIGTERM or SIGINT it leaves and its tasks go on.',
    )
    .helpOption('-h, --help', 'print help')
    .showHelpAfterError('(`runlet agent --help` lists the settings)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => shell.stdout.write(text),
      writeErr: (text) => shell.stderr.write(text),
      getOutHelpWidth: () => shell.stdout.columns ?? 100,
      getErrHelpWidth: () => shell.stderr.columns ?? 100,
    });
  command.addOption(new Option('--config <FILE>', 'YAML file of settings (RUNLET_CONFIG)'));
  for (const [name, setting] of Object.entries(settings)) command.addOption(toOption(name, setting));
  return command;
}

/** A switch may have a value, `--kubernetes=false`, to undo what the environment says. */
function toOption(name: string, setting: Setting): Option {
  const { placeholder, repeatable } = setting;
  const usage = placeholder === undefined ? ' [true|false]' : ` <${placeholder}>`;
  const option = new Option(`${flagOf(name)}${usage}`, description(name, setting));
  if (repeatable) {
    option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  }
  return option;
}

function description(name: string, setting: Setting): string {
  const fallback = defaultTextOf(setting).replaceAll('`', '');
  const facts = [...(setting.repeatable ? ['repeatable'] : []), ...(fallback === '–' ? [] : [`default ${fallback}`])];
  return `${setting.meaning} (${[...facts, variableOf(name)].join(', ')})`;
}
