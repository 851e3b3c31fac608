import { basename, dirname, join } from 'node:path';
import { fileSize, listNames, removeFile, renameSync, writeTextSync } from '#host/files.ts';

export interface RotationLimits {
  /** A log past this is set aside. */
  readonly maxBytes: number;
  /** Files of one log, the one being written included. */
  readonly maxFiles: number;
}

/**
 * Sets a log aside when it has grown too long: a rename, and then conmon is told to open it anew. What conmon writes in
 * between goes into the renamed file, so no line is lost. Returns whether it did.
 */
export async function rotateLog(
  log: { readonly path: string; readonly control: string },
  limits: RotationLimits,
  nowMs: number,
): Promise<boolean> {
  if ((fileSize(log.path) ?? 0) < limits.maxBytes) return false;
  const aside = await freeName(log.path, nowMs);
  renameSync(log.path, aside);
  writeTextSync(log.control, reopenCommand);
  await removeOldest(log.path, limits.maxFiles - 1);
  return true;
}

/** conmon's control FIFO: 2 opens the log anew. */
const reopenCommand = '2 0 0\n';

/** The rotated files of a log, oldest first: `<log>.<YYYYMMDD-HHMMSS>`, the same second counted with `.1`, `.2` … */
export async function rotatedLogs(path: string): Promise<readonly string[]> {
  const prefix = `${basename(path)}.`;
  const names = (await listNames(dirname(path))).filter((name) => name.startsWith(prefix));
  return names
    .map((name) => ({ name, parts: /^(\d{8}-\d{6})(?:\.(\d+))?$/.exec(name.slice(prefix.length)) }))
    .filter(({ parts }) => parts !== null)
    .toSorted((a, b) => compare(a.parts, b.parts))
    .map(({ name }) => join(dirname(path), name));
}

function compare(a: RegExpExecArray | null, b: RegExpExecArray | null): number {
  return (a?.[1] ?? '').localeCompare(b?.[1] ?? '') || Number(a?.[2] ?? 0) - Number(b?.[2] ?? 0);
}

async function freeName(path: string, nowMs: number): Promise<string> {
  const stamp = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const taken = (await rotatedLogs(path)).filter((name) => name.startsWith(`${path}.${stamp}`)).length;
  return `${path}.${stamp}${taken === 0 ? '' : `.${taken}`}`;
}

async function removeOldest(path: string, keep: number): Promise<void> {
  const files = await rotatedLogs(path);
  for (const file of files.slice(0, Math.max(0, files.length - keep))) await removeFile(file);
}
