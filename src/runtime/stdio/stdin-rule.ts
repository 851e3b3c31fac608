import { listNamesSync, readLinkSync, readTextSync } from '#host/files.ts';

/**
 * Whether a process other than this one has a file open for writing. Looks through the descriptors of every process, a few
 * milliseconds in all: what is gone meanwhile is left out.
 */
export function hasOtherWriter(path: string, proc = '/proc'): boolean {
  return listNamesSync(proc)
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .some((pid) =>
      listNamesSync(`${proc}/${pid}/fd`).some(
        (fd) => readLinkSync(`${proc}/${pid}/fd/${fd}`) === path && opensForWriting(`${proc}/${pid}/fdinfo/${fd}`),
      ),
    );
}

/** Of the octal `flags:` in fdinfo (proc(5)) the lowest two bits are the access mode, 0 for reading alone. */
function opensForWriting(fdinfo: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readTextSync(fdinfo) ?? '')?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & 3) !== 0;
}
