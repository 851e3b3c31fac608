import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { NotFoundError, isErrno } from '#errors/errors.ts';

export type { ChildProcess };

export interface SpawnOptions {
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  /** The child's descriptors from 0 on. */
  readonly stdio: readonly ('ignore' | 'pipe' | number)[];
}

/** Starts a program with descriptors of our choice and returns it once it runs. Throws NotFoundError where there is none. */
export async function spawnProgram(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<ChildProcess> {
  const child = spawn(program, args, { ...options, env: { ...options.env }, stdio: [...options.stdio] });
  try {
    await once(child, 'spawn');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw new NotFoundError(`cannot run ${program}: no such program`, { cause: error });
    throw error;
  }
  return child;
}

/** Waits for the end of a child; resolves with its exit code, or undefined when a signal ended it. */
export async function exitOf(child: ChildProcess): Promise<number | undefined> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode ?? undefined;
}
