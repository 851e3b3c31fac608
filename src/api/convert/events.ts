import type { ContainerEvent } from '#task/containers.ts';
import type { TaskEvent } from '#task/events.ts';
import type { NamespaceEvent } from '#task/namespaces.ts';
import {
  ContainerCreate,
  ContainerDelete,
  ContainerUpdate,
  NamespaceCreate,
  NamespaceDelete,
  NamespaceUpdate,
  TaskCheckpointed,
  TaskCreate,
  TaskDelete,
  TaskExecAdded,
  TaskExecStarted,
  TaskExit,
  TaskOOM,
  TaskPaused,
  TaskResumed,
  TaskStart,
} from '../gen/containerd/events/events.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { packAny, toAny } from './any.ts';
import { toTimestamp } from './timestamp.ts';

/** The payload of an event of the core as containerd names and writes it. */
export function toEventAny(event: TaskEvent): Any {
  const { containerId } = event;
  switch (event.topic) {
    case '/tasks/create': {
      const { bundle, io, checkpoint, pid } = event;
      const rootfs = event.rootfs.map((mount) => ({ ...mount, target: '' }));
      return pack('TaskCreate', TaskCreate, { containerId, bundle, rootfs, io, checkpoint, pid });
    }
    case '/tasks/start':
      return pack('TaskStart', TaskStart, { containerId, pid: event.pid });
    case '/tasks/exec-added':
      return pack('TaskExecAdded', TaskExecAdded, { containerId, execId: event.execId });
    case '/tasks/exec-started':
      return pack('TaskExecStarted', TaskExecStarted, { containerId, execId: event.execId, pid: event.pid });
    case '/tasks/oom':
      return pack('TaskOOM', TaskOOM, { containerId });
    case '/tasks/exit': {
      const { id, pid, exitStatus } = event;
      return pack('TaskExit', TaskExit, { containerId, id, pid, exitStatus, exitedAt: toTimestamp(event.exitedAtMs) });
    }
    case '/tasks/paused':
      return pack('TaskPaused', TaskPaused, { containerId });
    case '/tasks/resumed':
      return pack('TaskResumed', TaskResumed, { containerId });
    case '/tasks/checkpointed':
      return pack('TaskCheckpointed', TaskCheckpointed, { containerId, checkpoint: event.checkpoint });
    case '/tasks/delete': {
      const { pid, exitStatus } = event;
      return pack('TaskDelete', TaskDelete, {
        ...{ containerId, pid, exitStatus, id: '' },
        exitedAt: toTimestamp(event.exitedAtMs),
      });
    }
  }
}

/** The same of an event of the container records. */
export function toContainerEventAny({ topic, container }: ContainerEvent): Any {
  const { id, image, labels, snapshotKey, runtime } = container;
  switch (topic) {
    case '/containers/create': {
      const options = runtime.options ? toAny(runtime.options) : undefined;
      return pack('ContainerCreate', ContainerCreate, { id, image, runtime: { name: runtime.name, options } });
    }
    case '/containers/update':
      return pack('ContainerUpdate', ContainerUpdate, { id, image, labels, snapshotKey });
    case '/containers/delete':
      return pack('ContainerDelete', ContainerDelete, { id });
  }
}

/** The same of an event of a namespace. */
export function toNamespaceEventAny({ topic, namespace: { name, labels } }: NamespaceEvent): Any {
  switch (topic) {
    case '/namespaces/create':
      return pack('NamespaceCreate', NamespaceCreate, { name, labels });
    case '/namespaces/update':
      return pack('NamespaceUpdate', NamespaceUpdate, { name, labels });
    case '/namespaces/delete':
      return pack('NamespaceDelete', NamespaceDelete, { name });
  }
}

function pack<T>(name: string, type: { encode(message: T): { finish(): Uint8Array } }, message: T): Any {
  return packAny(`containerd.events.${name}`, type, message);
}
