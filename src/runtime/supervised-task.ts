import { NotFoundError } from '#errors/errors.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import { minimalEnvironment } from '#host/command.ts';
import { findProgram } from '#host/programs.ts';
import { refKey, type ExecId } from '#task/ids.ts';
import type { FinalSample, ProcessRef, TaskRecord } from '#task/runtime.ts';
import type { Bundle } from './bundle.ts';
import type { RuntimeContext } from './context.ts';
import { MonitoredProcess } from './monitored-process.ts';
import { readRuncState, type RuncState } from './runc/state.ts';
import { RuntimeCommand } from './runc/runc.ts';
import { systemdCgroupPath } from './systemd-path.ts';

/** A dump that is under way: an exit that it causes waits for its outcome. */
export interface RunningCheckpoint {
  /** Tells of the exit that came meanwhile. */
  heldExit?: () => void;
}

/** A task as the runtime holds it: its bundle, its cgroup, the runtime's command for it and its processes. */
export class SupervisedTask {
  readonly record: TaskRecord;
  readonly bundle: Bundle;
  readonly group: CgroupGroup;
  readonly command: RuntimeCommand;
  readonly init: MonitoredProcess;
  readonly execs = new Map<ExecId, MonitoredProcess>();
  /** Out-of-memory kills that have been told of. */
  oomKillsTold = 0n;
  /** What the cgroup counted while everything stood still before the dump that ended the task. */
  finalSample?: FinalSample;
  /** The checkpoint that runs now. */
  checkpoint?: RunningCheckpoint;
  #runcState: RuncState | undefined;

  constructor(context: RuntimeContext, record: TaskRecord, bundle: Bundle) {
    const systemd = context.cgroupDriver === 'systemd';
    this.record = record;
    this.bundle = bundle;
    this.group = new CgroupGroup(context.hierarchy, systemd ? systemdCgroupPath(record.cgroupPath) : record.cgroupPath);
    this.command = new RuntimeCommand({
      program: findProgram(record.runtime),
      root: record.runtimeRoot,
      log: bundle.init.file('runtime.log'),
      systemdCgroup: systemd,
      env: minimalEnvironment(context.criuFolder),
    });
    this.init = new MonitoredProcess({ namespace: record.namespace, id: record.id }, bundle.init, record.io);
  }

  get key(): string {
    return refKey(this.record);
  }

  get processes(): readonly MonitoredProcess[] {
    return [this.init, ...this.execs.values()];
  }

  /** The process that is meant. Throws NotFoundError. */
  process(ref: ProcessRef): MonitoredProcess {
    if (ref.execId === undefined) return this.init;
    const exec = this.execs.get(ref.execId);
    if (!exec) throw new NotFoundError(`no process ${ref.execId} in task ${this.key}`);
    return exec;
  }

  /** runc's own state, where it has the layout that the fast paths know. What they go by stays as it is while there is a container. */
  runcState(): RuncState | undefined {
    return (this.#runcState ??= readRuncState(this.record.runtimeRoot, this.record.id));
  }
}
