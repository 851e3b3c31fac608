import type { StatsReply } from '#api/gen/runlet/v1/runlet.ts';
import { NotFoundError } from '#errors/errors.ts';
import { formatTable } from '../output/table.ts';
import { write, writeLine } from '../shell.ts';
import { sizeOf } from '../terminal/hand-on.ts';
import { defaultDetachKeys, parseDetachKeys } from '../terminal/detach-keys.ts';
import { LogPrinter, sinceOf } from '../verbs/logs.ts';
import { toUsage, usageColumns } from '../verbs/usage.ts';
import { converse, rest } from './converse.ts';
import { withSession } from './session.ts';
import type { PluginCall } from './verbs.ts';

/** `exec` with -i or -t: a session with a program in the task; the exit status is the program's. */
export async function execSession(call: PluginCall, command: readonly string[]): Promise<number> {
  const { flags, shell } = call;
  const stdin = flags.is('interactive');
  const tty = await mayHaveTerminal(call, stdin);
  const size = tty ? sizeOf(shell) : undefined;
  const term = shell.env['TERM'];
  const env = tty && term ? [{ name: 'TERM', value: term }] : [];
  const spec = { command, stdin, tty, ...(env.length > 0 ? { env } : {}) };
  return await withSession(
    call,
    { kind: 'NodeTaskExecSession', spec, ticket: { size } },
    async (session) => await converse(session, shell, { stdin, detachKeys: [], signals: true }),
  );
}

/** As kubectl: a terminal there is only where there is one here. */
async function mayHaveTerminal({ flags, shell }: PluginCall, stdin: boolean): Promise<boolean> {
  if (!flags.is('tty')) return false;
  if (!stdin || shell.stdin.isTTY) return true;
  await writeLine(shell.stderr, 'unable to use a terminal: the input is none');
  return false;
}

/** `attach`: a session with the task's first process; the exit status is the task's. */
export async function attach(call: PluginCall): Promise<number> {
  const { flags, shell, name } = call;
  const stdin = !flags.is('noStdin');
  const detachKeys = parseDetachKeys(flags.text('detachKeys') ?? defaultDetachKeys);
  return await withSession(
    call,
    { kind: 'NodeTaskAttachSession', spec: { stdin }, ticket: { size: sizeOf(shell) } },
    async (session) =>
      await converse(session, shell, { stdin, detachKeys, signals: false, again: `kubectl runlet attach ${name}` }),
  );
}

/** `logs`: the lines of the task's log, each to the stream that it was written to. */
export async function logs(call: PluginCall): Promise<number> {
  const { flags, shell } = call;
  const choice = {
    follow: flags.is('follow'),
    attempt: flags.count('attempt'),
    tail: flags.count('tail'),
    sinceMs: BigInt(Math.round(sinceOf(flags.text('since'), shell.nowMs()))),
  };
  const printer = new LogPrinter(flags.is('timestamps'));
  return await withSession(
    call,
    { kind: 'NodeTaskLogSession', spec: {}, ticket: { logs: choice } },
    async (session) => {
      for await (const { message } of rest(session)) {
        if (message?.$case !== 'log') continue;
        const { value } = message;
        await write(value.stream === 'stderr' ? shell.stderr : shell.stdout, printer.print(value));
      }
      return 0;
    },
  );
}

/** Long enough for a rate that means something, short enough to wait for. */
const sampleMs = 500;
const watchMs = 2000;

/** `top`: what the task uses, once or, with --watch, again and again until the task ends. */
export async function top(call: PluginCall): Promise<number> {
  const { flags, shell, name } = call;
  const watch = flags.is('watch');
  const choice = watch ? { intervalMs: watchMs, readings: 0 } : { intervalMs: sampleMs, readings: 2 };
  return await withSession(call, { kind: 'NodeTaskTopSession', spec: {}, ticket: { top: choice } }, async (session) => {
    let before: StatsReply | undefined;
    for await (const { message } of rest(session)) {
      if (message?.$case !== 'usage') continue;
      const columns = usageColumns({ namespace: false, wide: false });
      if (before) await write(shell.stdout, formatTable(columns, toUsage(before, message.value)));
      before = message.value;
    }
    if (!before) throw new NotFoundError(`task ${name} does not run: it uses nothing`);
    return 0;
  });
}
