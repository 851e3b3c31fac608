import { RunletError, errorMessage } from '#errors/errors.ts';

/** A command that could not be run at all: the exit status is what a shell has for it. */
export class CannotRunError extends RunletError {
  readonly exitStatus: number;

  constructor(message: string, exitStatus: number, cause: unknown) {
    super('invalid-argument', message, { cause });
    this.exitStatus = exitStatus;
  }
}

const notFound = 127;
const notExecutable = 126;

/** What the runtime said of a process that did not start: with a shell's exit status where the command is why. */
export function startFailure(error: unknown): unknown {
  const message = errorMessage(error);
  const [, why = ''] = /exec: "[^"]*": (.+)/.exec(message) ?? [];
  if (/executable file not found|no such file or directory/i.test(why)) {
    return new CannotRunError(message, notFound, error);
  }
  if (/permission denied|exec format error|is a directory/i.test(why)) {
    return new CannotRunError(message, notExecutable, error);
  }
  return error;
}

/** The exit status of the program for an error that ended it. */
export function exitStatusOf(error: unknown): number {
  return error instanceof CannotRunError ? error.exitStatus : 1;
}
