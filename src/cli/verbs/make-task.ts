import { replies } from '#api/client.ts';
import type { PullProgress } from '#api/gen/runlet/v1/runlet.ts';
import { FailedPreconditionError, InvalidArgumentError } from '#errors/errors.ts';
import type { Flags } from '../flags.ts';
import { printable } from '../output/table.ts';
import { formatBytes } from '../output/units.ts';
import { refuseOwnedNamespace } from '../owned.ts';
import type { Ref, Session } from '../session.ts';
import { write, writeLine, type Shell } from '../shell.ts';
import { taskSpecOf } from '../task-spec.ts';

/** Makes a container and its task of flags and arguments, with progress on stderr; the task waits for its start. */
export async function makeTask(
  session: Session,
  shell: Shell,
  flags: Flags,
  task: { readonly args: readonly string[]; readonly stdin: boolean; readonly stdinOnce: boolean },
): Promise<Ref> {
  refuseOwnedNamespace(session.namespaceOrDefault);
  const [image, command] = imageAndCommand(flags, task.args);
  const spec = taskSpecOf(flags, shell, { command, stdin: task.stdin, ...(image === undefined ? {} : { image }) });
  const making = session.api.runlet.create({
    namespace: session.namespaceOrDefault,
    id: flags.text('name') ?? '',
    specJson: JSON.stringify(spec),
    labels: labelsOf(flags),
    baseDir: shell.cwd,
    stdinOnce: task.stdinOnce,
    user: flags.text('user') ?? '',
  });
  using progress = new ProgressLine(shell);
  for await (const { step } of replies(making)) {
    if (step?.$case === 'progress') progress.show(step.value);
    else if (step?.$case === 'warning') await writeLine(shell.stderr, `warning: ${printable(step.value)}`);
    else if (step?.$case === 'created') return { namespace: step.value.namespace, id: step.value.id };
  }
  throw new FailedPreconditionError('the agent ended the call without making a task');
}

/** With --rootfs every argument is the command's. */
function imageAndCommand(
  flags: Flags,
  args: readonly string[],
): [image: string | undefined, command: readonly string[]] {
  if (flags.text('rootfs') !== undefined) {
    const command = withoutDashes(args);
    if (command.length > 0 || flags.text('entrypoint') !== undefined) return [undefined, command];
    throw new InvalidArgumentError('--rootfs needs a command: a folder does not say what to run');
  }
  const [image, ...rest] = args;
  if (image === undefined) throw new InvalidArgumentError('name an image, or a folder with --rootfs');
  return [image, withoutDashes(rest)];
}

/** The dashes that end our own flags are not the command's. */
export function withoutDashes(args: readonly string[]): readonly string[] {
  return args[0] === '--' ? args.slice(1) : args;
}

function labelsOf(flags: Flags): Record<string, string> {
  return Object.fromEntries(
    flags.texts('label').map((text) => {
      const [name = '', ...value] = text.split('=');
      if (name === '') throw new InvalidArgumentError(`--label must be NAME=VALUE, not "${text}"`);
      return [name, value.join('=')];
    }),
  );
}

/** What is being done, on stderr: one line that changes where it is a terminal, else a line for each new phase. */
export class ProgressLine implements Disposable {
  readonly #shell: Shell;
  #phase = '';
  #shown = false;

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  show({ phase, doneBytes, totalBytes }: PullProgress): void {
    const { stderr } = this.#shell;
    if (!stderr.isTTY) {
      if (phase !== this.#phase) void write(stderr, `${printable(phase)}\n`).catch(() => {});
    } else {
      const bytes = totalBytes > 0n ? ` ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : '';
      void write(stderr, `\r\u001B[K${printable(phase)}${bytes}`.slice(0, stderr.columns ?? 80)).catch(() => {});
      this.#shown = true;
    }
    this.#phase = phase;
  }

  [Symbol.dispose](): void {
    if (this.#shown) void write(this.#shell.stderr, '\r\u001B[K').catch(() => {});
  }
}
