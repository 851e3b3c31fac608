import { randomBytes } from 'node:crypto';
import { InvalidArgumentError } from '#errors/errors.ts';
import type { Lease, LeasedResource, LeaseStore } from '#task/leases.ts';
import { toTimestamp } from '../convert/timestamp.ts';
import { parseFilters } from '../filters.ts';
import type { LeasesServer, Lease as WireLease, Resource } from '../gen/containerd/services/leases/v1/leases.ts';
import type { Handlers } from '../handler.ts';
import { checkLabels, labelField } from '../labels.ts';

/** containerd.services.leases.v1.Leases over the records. */
export function leasesService(handlers: Handlers, leases: LeaseStore): LeasesServer {
  return {
    create: handlers.change('create-lease', async ({ id, labels }, call) => {
      checkLabels(labels);
      return { lease: toWire(await leases.create({ namespace: call.namespace(), id: id || makeId(), labels })) };
    }),
    delete: handlers.change('delete-lease', async ({ id }, call) => {
      await leases.delete(call.namespace(), id);
      return {};
    }),
    list: handlers.read(({ filters }, call) => {
      const matches = parseFilters(filters);
      return {
        leases: leases
          .list(call.namespace())
          .filter((lease) => matches(fieldOf(lease)))
          .map(toWire),
      };
    }),
    addResource: handlers.change('add-lease-resource', async ({ id, resource }, call) => {
      await leases.addResource(call.namespace(), id, given(resource));
      return {};
    }),
    deleteResource: handlers.change('delete-lease-resource', async ({ id, resource }, call) => {
      await leases.deleteResource(call.namespace(), id, given(resource));
      return {};
    }),
    listResources: handlers.read(({ id }, call) => ({ resources: leases.get(call.namespace(), id).resources })),
  };
}

/** Nanoseconds and three random bytes, the shape that containerd's own have. */
function makeId(): string {
  return `${BigInt(Date.now()) * 1_000_000n}-${randomBytes(3).toString('base64url')}`;
}

function given(resource: Resource | undefined): LeasedResource {
  if (!resource?.id || !resource.type)
    throw new InvalidArgumentError('resource id and type are required: invalid argument');
  return { id: resource.id, type: resource.type };
}

function toWire({ id, labels, createdAtMs }: Lease): WireLease {
  return { id, labels, createdAt: toTimestamp(createdAtMs) };
}

function fieldOf({ id, labels }: Lease): (path: readonly string[]) => string | undefined {
  return ([name, ...rest]) => {
    if (name === 'labels') return labelField(labels, rest);
    return name === 'id' && rest.length === 0 ? id : undefined;
  };
}
