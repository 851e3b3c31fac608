import { InvalidArgumentError, errorMessage } from '#errors/errors.ts';
import type { Container } from '#task/containers.ts';
import { parseTaskId, type Namespace, type TaskId } from '#task/ids.ts';
import type { Container as WireContainer } from '../gen/containerd/services/containers/v1/containers.ts';
import { checkLabels, labelField, withoutEmpty } from '../labels.ts';
import { fromAny, toAny } from './any.ts';
import { toTimestamp } from './timestamp.ts';

/** A container as a client sends it: the times are the server's. */
export type AskedContainer = Omit<Container, 'createdAtMs' | 'updatedAtMs'>;

/** Checks in containerd's order and with its texts; the specification's content is whatever the client likes. */
export function fromWireContainer(namespace: Namespace, wire: WireContainer | undefined): AskedContainer {
  if (!wire) throw invalid('container is missing');
  const id = parseContainerId(wire.id);
  if (Object.keys(wire.extensions).includes('')) throw invalid('container.Extensions keys must not be zero-length');
  checkLabels(wire.labels);
  if (!wire.runtime?.name) throw invalid('container.Runtime.Name must be set');
  if (!wire.spec) throw invalid('container.Spec must be set');
  if (wire.snapshotKey && !wire.snapshotter) {
    throw invalid('container.Snapshotter must be set if container.SnapshotKey is set');
  }
  const { options } = wire.runtime;
  return {
    ...{ namespace, id, image: wire.image, labels: withoutEmpty(wire.labels), spec: fromAny(wire.spec) },
    runtime: { name: wire.runtime.name, ...(options ? { options: fromAny(options) } : {}) },
    snapshotter: wire.snapshotter,
    snapshotKey: wire.snapshotKey,
    extensions: mapValues(wire.extensions, fromAny),
    sandbox: wire.sandbox,
  };
}

/** The record as clients know it, unknown types byte for byte. */
export function toWireContainer(container: Container): WireContainer {
  const { name, options } = container.runtime;
  return {
    id: container.id,
    labels: container.labels,
    image: container.image,
    runtime: { name, options: options ? toAny(options) : undefined },
    spec: toAny(container.spec),
    snapshotter: container.snapshotter,
    snapshotKey: container.snapshotKey,
    createdAt: toTimestamp(container.createdAtMs),
    updatedAt: toTimestamp(container.updatedAtMs),
    extensions: mapValues(container.extensions, toAny),
    sandbox: container.sandbox,
  };
}

/**
 * A record changed as a client asks: only what the mask names or, without a mask, everything that may change. Throws
 * InvalidArgumentError for what may not.
 */
export function updatedContainer(before: Container, wire: WireContainer, mask: readonly string[] = []): Container {
  const runtime = wire.runtime?.name ? wire.runtime : toWireContainer(before).runtime;
  const spec = wire.spec ?? toAny(before.spec);
  const snapshotter = wire.snapshotter || before.snapshotter;
  const asked = fromWireContainer(before.namespace, { ...wire, runtime, spec, snapshotter });
  if (mask.length > 0) return mask.reduce((container, path) => changed(container, asked, path), before);
  if (asked.snapshotter !== before.snapshotter) throw immutable('Snapshotter');
  if (asked.runtime.name !== before.runtime.name) throw immutable('Runtime.Name');
  const { image, labels, extensions, snapshotKey } = asked;
  return { ...before, image, labels, extensions, snapshotKey, ...(wire.spec ? { spec: asked.spec } : {}) };
}

function changed(container: Container, asked: AskedContainer, path: string): Container {
  const [field = '', ...rest] = path.split('.');
  const key = rest.join('.');
  switch (field) {
    case 'labels':
      return { ...container, labels: key === '' ? asked.labels : withEntry(container.labels, key, asked.labels[key]) };
    case 'extensions': {
      const { extensions } = asked;
      return {
        ...container,
        extensions: key === '' ? extensions : withEntry(container.extensions, key, extensions[key]),
      };
    }
    case 'spec':
    case 'image':
      return { ...container, [field]: asked[field] };
    case 'snapshotkey':
    case 'snapshot_key':
      return { ...container, snapshotKey: asked.snapshotKey };
    default:
      throw new InvalidArgumentError(`cannot update "${path}" field on "${asked.id}": invalid argument`);
  }
}

function withEntry<V>(record: Readonly<Record<string, V>>, key: string, value: V | undefined): Record<string, V> {
  const { [key]: _before, ...others } = record;
  return value === undefined ? others : { ...others, [key]: value };
}

/** What a filter may ask of a container. */
export function containerField(container: Container): (path: readonly string[]) => string | undefined {
  return ([name, ...rest]) => {
    if (name === 'labels') return labelField(container.labels, rest);
    if (name === 'runtime') return rest.length === 1 && rest[0] === 'name' ? container.runtime.name : undefined;
    if (rest.length > 0) return undefined;
    return name === 'id' || name === 'image' ? container[name] : undefined;
  };
}

function parseContainerId(text: string): TaskId {
  try {
    return parseTaskId(text);
  } catch (error) {
    throw new InvalidArgumentError(`create container failed validation: container.ID: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

function invalid(what: string): InvalidArgumentError {
  return new InvalidArgumentError(`create container failed validation: ${what}: invalid argument`);
}

function immutable(field: string): InvalidArgumentError {
  return new InvalidArgumentError(`container.${field} field is immutable: invalid argument`);
}

function mapValues<V, W>(record: Readonly<Record<string, V>>, to: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));
}
