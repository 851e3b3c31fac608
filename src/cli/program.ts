import { Argument, Command as Commander, CommanderError, Option, type OutputConfiguration } from 'commander';
import { RunletError, errorMessage } from '#errors/errors.ts';
import { globalFlags, type Command, type Flag, type Handler } from './command.ts';
import { Flags } from './flags.ts';
import { exitStatusOf } from './exit-status.ts';
import { ReaderGoneError, type Shell } from './shell.ts';
import { commands } from './table/table.ts';

/** A command that reads its own arguments, such as `agent`: whatever follows its name is handed on. */
export interface OwnCommand {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly main: (argv: readonly string[], shell: Shell) => Promise<number> }>;
}

/** Runs the program with these arguments; resolves with its exit status. Errors are said on stderr, in one line. */
export async function runProgram(
  argv: readonly string[],
  shell: Shell,
  own: readonly OwnCommand[] = [],
): Promise<number> {
  let status = 0;
  const program = buildProgram(shell, own, (exitStatus) => {
    status = exitStatus;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return status;
  } catch (error) {
    return explainFailure(error, shell);
  }
}

/** Says an error on stderr, in one line; returns the exit status. */
export function explainFailure(error: unknown, shell: Shell): number {
  if (error instanceof ReaderGoneError) return 0;
  if (error instanceof CommanderError) return error.exitCode;
  // Of a failure that nobody foresaw the class helps who reports it.
  const foreseen = error instanceof RunletError || !(error instanceof Error);
  shell.stderr.write(`error: ${foreseen ? errorMessage(error) : `${error.name}: ${error.message}`}\n`);
  return exitStatusOf(error);
}

/** The program of the table, for runProgram and for what is generated from it. */
export function buildProgram(shell: Shell, own: readonly OwnCommand[], done: (status: number) => void): Commander {
  const program = new Commander('runlet')
    .description('Runs OCI tasks on this node: the agent, and the client that talks to it.')
    .version(shell.version, '--version', 'print the version of this program')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .enablePositionalOptions()
    .showHelpAfterError('(`runlet --help` lists the commands)')
    .exitOverride()
    .configureOutput(outputOf(shell));
  addFlags(program, globalFlags, 'Global options:');
  program.commandsGroup('Agent:');
  for (const command of own) addOwn(program, command, shell, done);
  for (const command of commands) addCommand(program, command, shell, done);
  return program;
}

/** Where commander writes, and how wide. */
export function outputOf(shell: Shell): OutputConfiguration {
  return {
    writeOut: (text) => shell.stdout.write(text),
    writeErr: (text) => shell.stderr.write(text),
    getOutHelpWidth: () => shell.stdout.columns ?? 100,
    getErrHelpWidth: () => shell.stderr.columns ?? 100,
  };
}

function addOwn(
  program: Commander,
  { name, summary, load }: OwnCommand,
  shell: Shell,
  done: (n: number) => void,
): void {
  program
    .command(name)
    .helpGroup('Agent:')
    .summary(summary)
    .argument('[arguments...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (argv: readonly string[]) => done(await (await load()).main(argv, shell)));
}

function addCommand(program: Commander, command: Command, shell: Shell, done: (status: number) => void): void {
  const words = command.name.split(' ');
  const parent = words.length === 1 ? program : groupOf(program, words[0] ?? '', command);
  const made = parent
    .command(words.at(-1) ?? '')
    .helpGroup(`${command.group}:`)
    .summary(command.summary)
    .description(`${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`)
    .helpOption('-h, --help', 'print help')
    .showHelpAfterError(`(\`runlet ${command.name} --help\` says more)`)
    .addHelpText('after', examplesText(command));
  for (const { usage } of command.args) made.addArgument(new Argument(usage));
  if (command.passesThrough) made.passThroughOptions();
  addFlags(made, command.flags);
  addFlags(made, globalFlags, 'Global options:');
  made.action(async (...given: unknown[]) => {
    const args = given
      .slice(0, command.args.length)
      .flat()
      .filter((arg): arg is string => typeof arg === 'string');
    const { run } = await command.load();
    done(await call(run, args, valuesOf(made), shell));
  });
}

async function call(run: Handler, args: readonly string[], values: object, shell: Shell): Promise<number> {
  return (await run({ args, flags: new Flags({ ...values }), shell })) ?? 0;
}

/** The command that only holds others: `images` of `images ls`. */
function groupOf(program: Commander, name: string, { group }: Command): Commander {
  const known = program.commands.find((command) => command.name() === name);
  if (known) return known;
  const made = program
    .command(name)
    .helpGroup(`${group}:`)
    .summary(`commands for ${name}: see \`runlet ${name} --help\``)
    .enablePositionalOptions();
  addFlags(made, globalFlags, 'Global options:');
  return made;
}

/** Gives a command these flags, under a heading of their own where one is named. */
export function addFlags(command: Commander, flags: readonly Flag[], heading?: string): void {
  for (const { flags: names, summary, repeatable, choices } of flags) {
    const option = new Option(names, summary);
    if (choices) option.choices([...choices]);
    if (repeatable)
      option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
    command.addOption(heading === undefined ? option : option.helpGroup(heading));
  }
}

/** Flags given to the command or to any of its parents; the nearest wins. */
function valuesOf(command: Commander): Record<string, unknown> {
  const outer = command.parent ? valuesOf(command.parent) : {};
  return { ...outer, ...command.opts() };
}

function examplesText({ examples }: Command): string {
  if (examples.length === 0) return '';
  return `\nExamples:\n${examples.map(([line, does]) => `  ${line}\n      ${does}\n`).join('')}`;
}
