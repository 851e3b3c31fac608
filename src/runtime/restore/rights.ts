import { MalformedError } from '#errors/errors.ts';

/** What a thread may do, by its `/proc/PID/task/TID/status` (proc(5)). */
export interface ThreadRights {
  readonly name: string;
  /** Real, effective, saved and of file systems. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  /** Bit n is capability n. */
  readonly capabilities: Readonly<Record<CapabilitySet, bigint>>;
  readonly noNewPrivileges: boolean;
  /** 0 none, 1 strict, 2 filters. */
  readonly seccompMode: number;
  /** Filters that are in force; undefined before Linux 5.9. */
  readonly seccompFilters?: number;
  /** Its pid in its own pid namespace. */
  readonly innerPid?: number;
}

/** As the kernel names them. */
export const capabilitySets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'] as const;
export type CapabilitySet = (typeof capabilitySets)[number];

/** Parses it. Throws MalformedError where a line that rights depend on is missing: what is not known is not proved. */
export function parseThreadRights(text: string): ThreadRights {
  const lines = new Map(text.split('\n').map((line) => splitLine(line)));
  const field = (name: string): string => {
    const value = lines.get(name);
    if (value === undefined) throw new MalformedError(`/proc/PID/status says nothing of ${name}`);
    return value;
  };
  const numbers = (name: string) => field(name).split(/\s+/).filter(Boolean).map(toNumber);
  const mask = (name: CapabilitySet) => [name, toMask(field(name))] as const;
  const filters = lines.get('Seccomp_filters');
  const innerPid = lines.get('NSpid')?.split(/\s+/).at(-1);
  return {
    name: field('Name'),
    uids: numbers('Uid'),
    gids: numbers('Gid'),
    groups: numbers('Groups'),
    capabilities: Object.fromEntries(capabilitySets.map(mask)) as Record<CapabilitySet, bigint>,
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccompMode: toNumber(field('Seccomp')),
    ...(filters === undefined ? {} : { seccompFilters: toNumber(filters) }),
    ...(innerPid === undefined ? {} : { innerPid: toNumber(innerPid) }),
  };
}

function splitLine(line: string): readonly [name: string, value: string] {
  const at = line.indexOf(':');
  return [line.slice(0, at), line.slice(at + 1).trim()];
}

function toNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new MalformedError(`not a count in /proc/PID/status: ${text}`);
  return number;
}

function toMask(text: string): bigint {
  if (!/^[0-9a-f]+$/.test(text)) throw new MalformedError(`not a mask in /proc/PID/status: ${text}`);
  return BigInt(`0x${text}`);
}
