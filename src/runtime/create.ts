import { isAbsolute } from 'node:path';
import { InvalidArgumentError } from '#errors/errors.ts';
import { Rollback } from '#async/rollback.ts';
import { minimalEnvironment } from '#host/command.ts';
import { mount, unmount } from '#host/mounts.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { TaskRecord } from '#task/runtime.ts';
import type { MonitorKind } from './conmon/args.ts';
import { startMonitored } from './conmon/conmon.ts';
import type { RuntimeContext } from './context.ts';
import type { MonitoredProcess } from './monitored-process.ts';
import { openStreams } from './stdio/streams.ts';
import type { SupervisedTask } from './supervised-task.ts';

/**
 * The specification as the runtime is to see it: in the task's own cgroup, on the bundle's root file system where there are
 * mounts for it, with a terminal or without one as its streams need.
 */
export function prepareSpec(spec: RuntimeSpec, record: TaskRecord, rootfs: string): RuntimeSpec {
  const root = record.rootfs.length > 0 ? { ...spec.root, path: rootfs } : spec.root;
  if (!root || !isAbsolute(root.path)) {
    throw new InvalidArgumentError(
      `task ${record.namespace}/${record.id} has no root file system: give mounts or an absolute root.path`,
    );
  }
  return {
    ...spec,
    root,
    ...(spec.process ? { process: { ...spec.process, terminal: record.io.terminal } } : {}),
    linux: { ...spec.linux, cgroupsPath: record.cgroupPath },
  };
}

/** Mounts the task's root file system. Whatever is mounted already when one fails is taken away again. */
export async function mountRootfs(task: SupervisedTask, signal?: AbortSignal): Promise<void> {
  await using undo = new Rollback();
  for (const each of task.record.rootfs) {
    undo.add(() => unmount(task.bundle.rootfs));
    await mount(each, task.bundle.rootfs, signal);
  }
  undo.keep();
}

export interface Making {
  readonly process: MonitoredProcess;
  readonly kind: MonitorKind;
  /** Called once the monitor listens for clients and before it runs the process, where its kind says so. */
  readonly beforeRun?: () => Promise<void>;
  /** Beside the usual environment of the monitor and the runtime. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Lets conmon and the runtime make a process and connects its streams; the process then waits or runs, as the verb has it. */
export async function makeProcess(context: RuntimeContext, task: SupervisedTask, making: Making): Promise<void> {
  const { process, kind, beforeRun, signal } = making;
  using streams = openStreams(process.io, process.folder);
  process.keepStdin(streams.stdinKeeper);
  try {
    const made = await startMonitored({
      program: context.conmon,
      call: {
        runtime: task.command.program,
        runtimeArgs: task.command.globalArgs(process.folder.file('runtime.log')),
        containerId: task.record.id,
        uuid: `${task.record.namespace}-${process.ref.execId ?? task.record.id}`,
        bundle: task.bundle.path,
        folder: process.folder,
        streams: streams.monitor,
        kind,
      },
      env: { ...minimalEnvironment(context.criuFolder), ...making.env },
      stdio: streams.stdio,
      adopt: (pid) => context.monitors.add(pid),
      ...(beforeRun ? { beforeRun } : {}),
      ...(signal ? { signal } : {}),
    });
    process.identity = made.process;
    if (made.monitor) process.monitor = made.monitor;
  } catch (error) {
    process.releaseStdin();
    throw error;
  }
}
