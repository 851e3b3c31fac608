import type { CgroupGroup } from '#cgroup/group.ts';
import { MalformedError } from '#errors/errors.ts';
import { listNamesSync, readLinkSync, readTextSync } from '#host/files.ts';
import { descendants } from '#host/process-tree.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { envelopeOf, excesses, labelExcesses, type Envelope, type Excess } from './envelope.ts';
import { limitExcesses } from './limits.ts';
import { mountExcesses } from './mount-rules.ts';
import { readMountFacts } from './mount-facts.ts';
import { namespaceExcesses, namespaceNames, type Namespaces } from './namespaces.ts';
import { parseThreadRights } from './rights.ts';

/** Who of a restored task has more than its specification gives, and what of it. */
export interface Violation extends Excess {
  /** Such as `process 7 (sh), thread 8`, by the pids in the task. */
  readonly whom: string;
}

export interface Restored {
  readonly spec: RuntimeSpec;
  readonly group: CgroupGroup;
  /** The first process, on the node. */
  readonly pid: number;
  /** What is mounted as its root, on the node. */
  readonly rootfs: string;
}

/**
 * Compares every process and thread of a task that stands still with the specification that it is to be confined by. Who
 * belongs to it is asked twice, of its cgroup and of the first process's descent: a process that a checkpoint put elsewhere is
 * found, and is one more violation. Throws MalformedError for what the kernel says in words that are not understood.
 */
export function findViolations(restored: Restored, proc = '/proc'): readonly Violation[] {
  const { spec, group, pid } = restored;
  const members = new Set(group.pids());
  const all = new Set([pid, ...members, ...descendants(pid, proc)]);
  const envelope = envelopeOf(spec);
  const agent = readNamespaces('self', proc);
  const context = {
    ...{ spec, envelope, proc, members: membersByFolder(group) },
    first: readNamespaces(pid, proc),
    foreign: [readNamespaces(1, proc), agent],
    user: agent.user,
  };
  const ofProcesses = [...all].flatMap((each) => processViolations(context, each));
  const seen = new Set<string | undefined>();
  const ofMounts: Violation[] = [];
  for (const each of all) {
    const { mnt } = readNamespaces(each, proc);
    if (seen.has(mnt)) continue;
    seen.add(mnt);
    const facts = readMountFacts({ pid: each, rootfs: restored.rootfs, proc });
    ofMounts.push(...mountExcesses(spec, facts).map((one) => ({ ...one, whom: nameOf(proc, each) })));
  }
  return [...ofProcesses, ...ofMounts];
}

interface ProofContext {
  readonly spec: RuntimeSpec;
  readonly envelope: Envelope;
  readonly proc: string;
  readonly first: Namespaces;
  readonly foreign: readonly Namespaces[];
  readonly user: string | undefined;
  /** Folder of the task's cgroup → who is in it or below. */
  readonly members: ReadonlyMap<string, ReadonlySet<number>>;
}

function processViolations(context: ProofContext, pid: number): readonly Violation[] {
  const { spec, proc, first, foreign, user, members } = context;
  const own = readNamespaces(pid, proc);
  const strayed = [...members].filter(([, pids]) => !pids.has(pid)).map(([folder]) => folder);
  const found = [
    ...namespaceExcesses(spec, { own, first, foreign, user }),
    ...strayed.slice(0, 1).map((folder) => ({ field: 'cgroup', what: `is not ${folder}` })),
    ...limitExcesses(spec, {
      limits: known(`${proc}/${pid}/limits`),
      oomScoreAdj: known(`${proc}/${pid}/oom_score_adj`),
    }),
  ];
  const whom = nameOf(proc, pid);
  const threads = listNamesSync(`${proc}/${pid}/task`);
  return [
    ...found.map((excess) => ({ ...excess, whom })),
    ...threads.flatMap((thread) => threadViolations(context, pid, Number(thread))),
  ];
}

function threadViolations({ envelope, proc }: ProofContext, pid: number, thread: number): readonly Violation[] {
  const folder = `${proc}/${pid}/task/${thread}`;
  const rights = parseThreadRights(known(`${folder}/status`));
  const found = [...excesses(envelope, rights), ...labelExcesses(envelope, readLabel(folder))];
  const whom = thread === pid ? nameOf(proc, pid) : `${nameOf(proc, pid)}, thread ${rights.innerPid ?? thread}`;
  return found.map((excess) => ({ ...excess, whom }));
}

/** AppArmor has a folder of its own where several modules are on. */
function readLabel(folder: string): string | undefined {
  for (const file of ['attr/apparmor/current', 'attr/current']) {
    try {
      const text = readTextSync(`${folder}/${file}`);
      if (text !== undefined) return text.replace(/\0?\n?$/, '');
    } catch {
      // A kernel without security modules answers EINVAL.
    }
  }
  return undefined;
}

function readNamespaces(pid: number | 'self', proc: string): Namespaces {
  return Object.fromEntries(
    namespaceNames.flatMap((name) => {
      const target = readLinkSync(`${proc}/${pid}/ns/${name}`);
      return target === undefined ? [] : [[name, target]];
    }),
  );
}

function membersByFolder(group: CgroupGroup): ReadonlyMap<string, ReadonlySet<number>> {
  return new Map(group.folders.map((folder) => [folder, new Set(group.pidsIn(folder))]));
}

function nameOf(proc: string, pid: number): string {
  const { name, innerPid } = parseThreadRights(known(`${proc}/${pid}/status`));
  return `process ${innerPid ?? pid} (${name})`;
}

/** Nobody of a task that stands still ends meanwhile. */
function known(path: string): string {
  const text = readTextSync(path);
  if (text === undefined || text === '') throw new MalformedError(`${path} cannot be read: its process has ended`);
  return text;
}
