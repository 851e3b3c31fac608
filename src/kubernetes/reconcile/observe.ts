import type { Task } from '#task/task.ts';
import { toLinuxResources } from '../node-task/resources.ts';
import type { Resources } from '../node-task/types.ts';
import { limitsDiffer } from './applied.ts';
import type { ReconcilerContext } from './context.ts';
import { readOwner } from './owner.ts';
import { isAlive } from './plan-stop.ts';
import type { ObjectRecord } from './record.ts';
import type { SourceObject } from './source.ts';
import type { LiveTask, View } from './view.ts';

/** The least that holds limits: a task is looked at often, and each file more is time. */
export const limitsDetail = 'basic';

/** Looks at an object and at everything of it on the node. */
export function observe(context: ReconcilerContext, object: SourceObject, task: Task | undefined): View {
  const { uid } = object;
  // First: where the clock has been set, the record's times move with it.
  const nowMs = context.wallClock.nowMs();
  const { job, trouble, seenExit, reached } = context.memories.of(uid);
  const record = context.records.get(uid);
  // One that is being made is seen when all that belongs to it is there.
  const live = task && !job ? toLiveTask(context, task, record) : undefined;
  return {
    nowMs,
    bootId: context.bootId,
    nodeName: context.nodeName,
    object,
    notSupported: live ? kernelResources(context, object.task?.spec.resources).notSupported : [],
    ...(record ? { record } : {}),
    ...(live ? { live } : {}),
    ...(job ? { making: { hash: job.hash, phase: job.phase } } : {}),
    ...(trouble ? { trouble } : {}),
    ...(seenExit ? { seenExit } : {}),
    ...(reached ? { reached } : {}),
  };
}

/** What resources are in this machine's kernel. */
export function kernelResources(
  { machine, defaultPidsLimit }: ReconcilerContext,
  resources: Resources | null | undefined,
  previous?: Resources | null,
): ReturnType<typeof toLinuxResources> {
  return toLinuxResources(resources ?? undefined, {
    machine: machine(),
    defaultPidsLimit,
    ...(previous ? { previous } : {}),
  });
}

/** The resources that the kernel was asked for last. */
export function askedResources(record: ObjectRecord | undefined, live: LiveTask): Resources | null {
  return record?.applied?.attempt === live.attempt ? record.applied.resources : live.resources;
}

/** A task of an object as plans see it. */
export function toLiveTask(context: ReconcilerContext, task: Task, record: ObjectRecord | undefined): LiveTask {
  const owner = readOwner(task);
  const live: LiveTask = {
    phase: task.phase,
    pid: task.pid,
    attempt: owner?.attempt ?? 0,
    hash: owner?.hash ?? '',
    resources: owner?.resources ?? null,
    limitsDiffer: false,
    ...(task.startedAtMs === undefined ? {} : { startedAtMs: task.startedAtMs }),
    ...(task.exit ? { exit: task.exit } : {}),
  };
  return isAlive(live) ? { ...live, limitsDiffer: differs(context, task, live, record) } : live;
}

function differs(context: ReconcilerContext, task: Task, live: LiveTask, record: ObjectRecord | undefined): boolean {
  const applied = record?.applied?.attempt === live.attempt ? record.applied : undefined;
  const stats = applied?.problem ? undefined : task.stats(limitsDetail);
  return stats !== undefined && limitsDiffer(kernelResources(context, askedResources(record, live)).linux, stats);
}
