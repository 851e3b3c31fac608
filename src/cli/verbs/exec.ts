import { InvalidArgumentError } from '#errors/errors.ts';
import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';
import { attach } from '../terminal/attach.ts';
import { sizeOf } from '../terminal/hand-on.ts';
import { defaultDetachKeys, parseDetachKeys } from '../terminal/detach-keys.ts';
import { environment } from '../task-spec.ts';
import { startFailure } from '../exit-status.ts';
import { withoutDashes } from './make-task.ts';

/** Runs another process in a task; the exit status is the process's own. */
export async function run(invocation: Invocation): Promise<number> {
  const { flags, shell } = invocation;
  const [name = '', ...rest] = invocation.args;
  const command = withoutDashes(rest);
  if (command.length === 0) throw new InvalidArgumentError('name a command to run, such as `runlet exec web ls`');
  const detachKeys = parseDetachKeys(flags.text('detachKeys') ?? defaultDetachKeys);
  using session = new Session(invocation);
  const ref = await session.find(name);
  const terminal = flags.is('tty');
  const detach = flags.is('detach');
  const size = terminal ? sizeOf(shell) : undefined;
  const exec = {
    ...{ command, terminal, size, cwd: flags.text('workdir') ?? '', user: flags.text('user') ?? '' },
    env: [...termOf(terminal, shell.env), ...environment(flags.texts('env'), shell.env)],
  };
  const start = { ...ref, exec, stdin: flags.is('interactive') && !detach, detach };
  try {
    return (await attach(session, shell, { start, detachKeys })).status;
  } catch (error) {
    throw startFailure(error);
  }
}

function termOf(terminal: boolean, env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return terminal && env['TERM'] ? [`TERM=${env['TERM']}`] : [];
}
