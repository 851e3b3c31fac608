import { systemClock } from '#async/clock.ts';
import { silentLog } from '#log/log.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { OciRuntime } from '#runtime/oci-runtime.ts';
import { parseExecId, parseNamespace, parseTaskId, refKey, type TaskRef } from '#task/ids.ts';
import { noIo, type ProcessIo } from '#task/io.ts';
import type { ExecRecord, Exit, ProcessRef, TaskRecord } from '#task/runtime.ts';
import type { TestNode } from './node.ts';

export type NodePlaces = Pick<TestNode, 'state' | 'cgroupParent' | 'hierarchy' | 'rootfs'>;

/** The runtime that the tests drive: runc, or the one that the test of other runtimes says. */
export const testedRuntime = process.env['RUNLET_TEST_RUNTIME'] ?? 'runc';

/** A runtime on a test's own node that notes what it tells. */
export interface TestRuntime extends AsyncDisposable {
  readonly runtime: OciRuntime;
  readonly exits: readonly { readonly process: ProcessRef; readonly exit: Exit }[];
  readonly outOfMemory: readonly TaskRef[];
  /** Waits for the end of a process. */
  exitOf(process: ProcessRef): Promise<Exit>;
  /** Forgets the exits that were told. */
  forget(): void;
}

export function makeRuntime(
  node: NodePlaces,
  options: {
    readonly fastPaths?: boolean;
    readonly maxBytes?: number;
    readonly maxFiles?: number;
    readonly criu?: string;
  } = {},
): TestRuntime & { recover(): ReturnType<OciRuntime['recover']> } {
  const exits: { process: ProcessRef; exit: Exit }[] = [];
  const outOfMemory: TaskRef[] = [];
  const waiting = new Set<() => void>();
  const runtime = new OciRuntime({
    stateDir: node.state,
    cgroupParent: node.cgroupParent,
    cgroupDriver: 'cgroupfs',
    hierarchy: node.hierarchy,
    clock: systemClock,
    log: silentLog(),
    logRotation: { maxBytes: options.maxBytes ?? 10 * 1024 * 1024, maxFiles: options.maxFiles ?? 5 },
    ...(options.fastPaths === undefined ? {} : { fastPaths: options.fastPaths }),
    ...(options.criu === undefined ? {} : { criu: options.criu }),
  });
  const find = (wanted: ProcessRef) =>
    exits.find(({ process }) => refKey(process) === refKey(wanted) && process.execId === wanted.execId)?.exit;
  return {
    runtime,
    exits,
    outOfMemory,
    recover: () =>
      runtime.recover({
        exited: (process, exit) => {
          exits.push({ process, exit });
          for (const look of waiting) look();
        },
        outOfMemory: (task) => outOfMemory.push({ namespace: task.namespace, id: task.id }),
      }),
    exitOf: async (wanted) =>
      await new Promise((resolve) => {
        const look = () => {
          const exit = find(wanted);
          if (!exit) return;
          waiting.delete(look);
          resolve(exit);
        };
        waiting.add(look);
        look();
      }),
    forget: () => void exits.splice(0),
    [Symbol.asyncDispose]: () => runtime.close(),
  };
}

export function ref(id: string): TaskRef {
  return { namespace: parseNamespace('default'), id: parseTaskId(id) };
}

export function record(node: NodePlaces, id: string, more: Partial<TaskRecord> = {}): TaskRecord {
  return {
    ...ref(id),
    runtime: testedRuntime,
    runtimeRoot: `${node.state}/runc/default`,
    cgroupPath: `${node.cgroupParent}/default/${id}`,
    io: noIo,
    rootfs: [],
    ownPidNamespace: true,
    owner: {},
    createdAtMs: Date.now(),
    ...more,
  };
}

/** A specification that runs these arguments in the node's busybox. */
export function spec(node: NodePlaces, args: readonly string[], more: Partial<RuntimeSpec> = {}): RuntimeSpec {
  return {
    ociVersion: '1.0.2',
    process: { user: { uid: 0, gid: 0 }, args, env: ['PATH=/bin'], cwd: '/' },
    root: { path: node.rootfs, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
    ],
    linux: { namespaces: (['pid', 'mount', 'ipc', 'uts', 'network'] as const).map((type) => ({ type })) },
    ...more,
  };
}

/** A shell's script as a task's arguments. */
export function sh(script: string): readonly string[] {
  return ['/bin/sh', '-c', script];
}

export function execRecord(id: string, args: readonly string[], io: ProcessIo = noIo): ExecRecord {
  return {
    execId: parseExecId(id),
    process: { user: { uid: 0, gid: 0 }, args, env: ['PATH=/bin'], cwd: '/' },
    io,
  };
}
