import { basename, dirname, join } from 'node:path';
import { hasReader, writeFifo } from '#host/descriptors.ts';
import { fileSize, listNames, removeFile, renameSync } from '#host/files.ts';
import { tell } from '#log/notices.ts';

export interface RotationLimits {
  /** A log past this is set aside. */
  readonly maxBytes: number;
  /** Files of one log, the one being written included. */
  readonly maxFiles: number;
}

/**
 * Sets a log aside when it has grown too long: a rename, and then conmon is told to open it anew. What conmon writes in
 * between goes into the renamed file, so no line is lost. A log that an agent renamed and then died is opened anew. Nothing is
 * done where conmon is gone. Returns whether it rotated.
 */
export async function rotateLog(
  log: { readonly path: string; readonly control: string },
  limits: RotationLimits,
  nowMs: number,
): Promise<boolean> {
  const size = fileSize(log.path);
  if (size !== undefined && size < limits.maxBytes) return false;
  if (!hasReader(log.control)) return false;
  if (size === undefined) {
    writeFifo(log.control, reopenCommand);
    return false;
  }
  const aside = await freeName(log.path, nowMs);
  renameSync(log.path, aside);
  writeFifo(log.control, reopenCommand);
  tell('log-rotated', { bytes: size });
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
