import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Namespace, TaskRef } from './ids.ts';
import type { ProcessIo } from './io.ts';
import type { Mount, TaskRecord } from './runtime.ts';

/** What a task is made of. */
export interface CreateTask extends TaskRef {
  readonly spec: RuntimeSpec;
  readonly io: ProcessIo;
  /** Mounted on `<bundle>/rootfs`; empty: `spec.root.path` is absolute and used as it is. */
  readonly rootfs: readonly Mount[];
  readonly runtime?: string;
  readonly runtimeRoot?: string;
  /** A folder of CRIU images to restore from. */
  readonly restoreFrom?: string;
  /** What its maker wants to find again, such as a NodeTask's UID, generation, attempt and hash. */
  readonly owner?: Readonly<Record<string, string>>;
}

/** What a task gets that does not say otherwise. */
export interface TaskDefaults {
  readonly defaultRuntime: string;
  readonly runtimeRootOf: (namespace: Namespace) => string;
  /** The task's cgroup; `requested` is the specification's cgroups path. */
  readonly cgroupPathOf: (ref: TaskRef, requested?: string) => string;
}

/** The record that the runtime writes down before it makes anything. */
export function toTaskRecord(request: CreateTask, defaults: TaskDefaults, createdAtMs: number): TaskRecord {
  const { namespace, id, spec, io, rootfs, restoreFrom } = request;
  return {
    namespace,
    id,
    runtime: request.runtime ?? defaults.defaultRuntime,
    runtimeRoot: request.runtimeRoot ?? defaults.runtimeRootOf(namespace),
    cgroupPath: defaults.cgroupPathOf({ namespace, id }, spec.linux?.cgroupsPath),
    io,
    rootfs,
    ...(restoreFrom === undefined ? {} : { restoreFrom }),
    ownPidNamespace: hasOwnPidNamespace(spec),
    owner: request.owner ?? {},
    createdAtMs,
  };
}

/** Whether the process is the first of a pid namespace; one that joins another's is not, and its end ends nobody else. */
function hasOwnPidNamespace(spec: RuntimeSpec): boolean {
  return spec.linux?.namespaces?.some(({ type, path }) => type === 'pid' && !path) ?? false;
}
