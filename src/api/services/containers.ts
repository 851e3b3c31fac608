import { InvalidArgumentError } from '#errors/errors.ts';
import { parseTaskId, type TaskRef } from '#task/ids.ts';
import type { Container, ContainerStore, TypedValue } from '#task/containers.ts';
import { fromAny, toAny } from '../convert/any.ts';
import { toTimestamp } from '../convert/timestamp.ts';
import type {
  Container as WireContainer,
  ContainersServer,
} from '../gen/containerd/services/containers/v1/containers.ts';
import type { Call, Handlers } from '../handler.ts';

function refOf(call: Call, id: string): TaskRef {
  return { namespace: call.namespace(), id: parseTaskId(id) };
}

/** containerd.services.containers.v1.Containers over the records. */
export function containersService(handlers: Handlers, containers: ContainerStore): ContainersServer {
  return {
    get: handlers.read((request, call) => ({ container: toWire(containers.get(refOf(call, request.id))) })),
    list: handlers.read((_request, call) => ({ containers: containers.list(call.namespace()).map(toWire) })),
    listStream: handlers.stream(undefined, async (_request, call, send) => {
      for (const container of containers.list(call.namespace())) await send({ container: toWire(container) });
    }),
    create: handlers.change('create-container', async ({ container: wire }, call) => {
      const container = fromWire(call, wire);
      return { container: toWire(await containers.create(container)) };
    }),
    update: handlers.change('update-container', async ({ container: wire, updateMask }, call) => {
      if (!wire?.id) throw new InvalidArgumentError('Container.ID required: invalid argument');
      const before = containers.get(refOf(call, wire.id));
      const after = masked(
        before,
        fromWire(call, { ...wire, runtime: wire.runtime ?? toWire(before).runtime }),
        updateMask,
      );
      return { container: toWire(await containers.update(after)) };
    }),
    delete: handlers.change('delete-container', async (request, call) => {
      await containers.delete(refOf(call, request.id));
      return {};
    }),
  };
}

/** Only what the mask names is taken over; without a mask everything that may change is. */
function masked(
  before: Container,
  asked: Omit<Container, 'createdAtMs' | 'updatedAtMs'>,
  mask: readonly string[] | undefined,
): Container {
  if (!mask || mask.length === 0) return { ...before, ...asked };
  const changed: Record<string, unknown> = {};
  for (const path of mask) {
    const [field, ...key] = path.split('.');
    if (field === 'labels' || field === 'extensions') {
      const from = { ...((changed[field] as object | undefined) ?? before[field]) } as Record<string, unknown>;
      const name = key.join('.');
      const value = asked[field][name];
      if (name === '') changed[field] = asked[field];
      else if (value === undefined || value === '') delete from[name];
      else from[name] = value;
      if (name !== '') changed[field] = from;
    } else if (field === 'spec' || field === 'image') changed[field] = asked[field];
    else if (field === 'snapshot_key') changed['snapshotKey'] = asked.snapshotKey;
    else throw new InvalidArgumentError(`cannot update "${path}" field on container "${asked.id}": invalid argument`);
  }
  return { ...before, ...changed };
}

function fromWire(call: Call, wire: WireContainer | undefined): Omit<Container, 'createdAtMs' | 'updatedAtMs'> {
  if (!wire) throw new InvalidArgumentError('container is missing: invalid argument');
  const id = parseTaskId(wire.id);
  if (!wire.runtime?.name) throw invalid('container.Runtime.Name must be set');
  if (!wire.spec) throw invalid('container.Spec must be set');
  if (wire.snapshotKey && !wire.snapshotter) {
    throw invalid('container.Snapshotter must be set if container.SnapshotKey is set');
  }
  const { options } = wire.runtime;
  return {
    namespace: call.namespace(),
    id,
    image: wire.image,
    labels: wire.labels,
    spec: fromAny(wire.spec),
    runtime: { name: wire.runtime.name, ...(options ? { options: fromAny(options) } : {}) },
    snapshotter: wire.snapshotter,
    snapshotKey: wire.snapshotKey,
    extensions: mapValues(wire.extensions, fromAny),
    sandbox: wire.sandbox,
  };
}

function invalid(what: string): InvalidArgumentError {
  return new InvalidArgumentError(`create container failed validation: ${what}: invalid argument`);
}

function toWire(container: Container): WireContainer {
  const { options } = container.runtime;
  return {
    id: container.id,
    labels: container.labels,
    image: container.image,
    runtime: { name: container.runtime.name, options: options ? toAny(options) : undefined },
    spec: toAny(container.spec),
    snapshotter: container.snapshotter,
    snapshotKey: container.snapshotKey,
    createdAt: toTimestamp(container.createdAtMs),
    updatedAt: toTimestamp(container.updatedAtMs),
    extensions: mapValues(container.extensions, (value: TypedValue) => toAny(value)),
    sandbox: container.sandbox,
  };
}

function mapValues<V, W>(record: Readonly<Record<string, V>>, to: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));
}
