import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { NotFoundError, isErrno } from '#errors/errors.ts';
import { tell } from '#log/notices.ts';

export type { ChildProcess };

export interface SpawnOptions {
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  /** The child's descriptors from 0 on. */
  readonly stdio: readonly ('ignore' | 'pipe' | number)[];
  /** Whether it leads a process group of its own, to be ended with all that it starts. */
  readonly ownGroup?: boolean;
}

/** Starts a program with descriptors of our choice and returns it once it runs. Throws NotFoundError where there is none. */
export async function spawnProgram(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<ChildProcess> {
  const { ownGroup = false, ...rest } = options;
  const startedAt = performance.now();
  const child = spawn(program, args, { ...rest, env: { ...rest.env }, stdio: [...rest.stdio], detached: ownGroup });
  tell('spawned', { durationMs: performance.now() - startedAt });
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

/** Ends a child that leads its own group and everything in the group, as far as it still runs. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}
