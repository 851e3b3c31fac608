import * as events from '../gen/containerd/events/events.ts';
import type { Any } from '../gen/google/protobuf/any.ts';

interface Decoder {
  decode(bytes: Uint8Array): unknown;
}

const decoders = new Map<string, Decoder>(
  Object.entries({
    TaskCreate: events.TaskCreate,
    TaskStart: events.TaskStart,
    TaskOOM: events.TaskOOM,
    TaskExit: events.TaskExit,
    TaskDelete: events.TaskDelete,
    TaskExecAdded: events.TaskExecAdded,
    TaskExecStarted: events.TaskExecStarted,
    TaskPaused: events.TaskPaused,
    TaskResumed: events.TaskResumed,
    TaskCheckpointed: events.TaskCheckpointed,
    ContainerCreate: events.ContainerCreate,
    ContainerUpdate: events.ContainerUpdate,
    ContainerDelete: events.ContainerDelete,
    NamespaceCreate: events.NamespaceCreate,
    NamespaceUpdate: events.NamespaceUpdate,
    NamespaceDelete: events.NamespaceDelete,
  }).map(([name, decoder]) => [`containerd.events.${name}`, decoder]),
);

/**
 * A field of an event's payload as a filter sees it: texts and booleans of known types, by the names in the .proto, such as
 * `container_id` or `io.stdin`; of a map the rest of the path is the key. Anything else is absent, as in containerd.
 */
export function eventField(event: Any | undefined, path: readonly string[]): string | undefined {
  const message = event && decode(event);
  let value: unknown = message;
  for (const [at, name] of path.entries()) {
    if (typeof value !== 'object' || value === null) return undefined;
    const fields = value as Readonly<Record<string, unknown>>;
    const rest = path.slice(at).join('.');
    if (Object.hasOwn(fields, rest) && typeof fields[rest] === 'string') return fields[rest];
    value = fields[toCamelCase(name)];
  }
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : undefined;
}

function decode({ typeUrl, value }: Any): unknown {
  try {
    return decoders.get(typeUrl)?.decode(value);
  } catch {
    return undefined; // a client may publish anything under any name
  }
}

function toCamelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
