import { basename, dirname } from 'node:path';
import { listNames, readTextSync } from '#host/files.ts';
import { identify } from '#host/process.ts';
import type { ProcessIdentity } from '#task/runtime.ts';

/** A program that a former agent started on behalf of a process folder, and that may still be at work. */
export interface Running {
  readonly identity: ProcessIdentity;
  /** A conmon, or the runtime's command with its verb. */
  readonly program: 'monitor' | 'runtime';
  /** The process folder that it works for: a bundle or an exec's folder in one. */
  readonly folder: string;
}

/**
 * Finds the monitors and runtime commands that work below a folder, by their command lines: a note of their pids would
 * always come too late for an agent that is killed right after it started them.
 */
export async function findRunning(tasksFolder: string, proc = '/proc'): Promise<readonly Running[]> {
  const pids = (await listNames(proc)).map(Number).filter(Number.isInteger);
  return pids.flatMap((pid) => {
    const argv = (readTextSync(`${proc}/${pid}/cmdline`) ?? '').split('\0');
    const found = parseCommandLine(argv, tasksFolder);
    const identity = found ? identify(pid) : undefined;
    return found && identity ? [{ identity, ...found }] : [];
  });
}

/** What a command line says of its program's part in a task; undefined when it has none below that folder. */
export function parseCommandLine(
  argv: readonly string[],
  tasksFolder: string,
): Pick<Running, 'program' | 'folder'> | undefined {
  const inside = (path: string | undefined): path is string => path?.startsWith(`${tasksFolder}/`) ?? false;
  const bundle = argv[argv.indexOf('-b') + 1];
  if (basename(argv[0] ?? '') === 'conmon' && argv.includes('-b')) {
    return inside(bundle) ? { program: 'monitor', folder: bundle } : undefined;
  }
  const log = argv[argv.indexOf('--log') + 1];
  return argv.includes('--log') && inside(log) ? { program: 'runtime', folder: dirname(log) } : undefined;
}
