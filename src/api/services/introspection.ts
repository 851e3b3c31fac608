import { parseFilters } from '../filters.ts';
import type { IntrospectionServer, Plugin } from '../gen/containerd/services/introspection/v1/introspection.ts';
import type { Handlers } from '../handler.ts';

/** Who this server is. */
export interface ServerIdentity {
  /** Made at the first start on a node and kept. */
  readonly uuid: string;
  readonly pid: number;
  /** Inode of its pid namespace. */
  readonly pidNamespace: bigint;
}

/** containerd's plugin types, as clients group what they list. */
const servicePlugin = 'io.containerd.grpc.v1';

const served = ['containers', 'events', 'healthcheck', 'introspection', 'leases', 'namespaces', 'tasks', 'version'];

/** containerd.services.introspection.v1.Introspection: the services are what a containerd would call its plugins. */
export function introspectionService(handlers: Handlers, identity: ServerIdentity): IntrospectionServer {
  const { uuid, pid, pidNamespace } = identity;
  return {
    plugins: handlers.read(({ filters }) => {
      const matches = parseFilters(filters);
      return { plugins: plugins.filter((plugin) => matches(fieldOf(plugin))) };
    }),
    server: handlers.read(() => ({ uuid, pid: BigInt(pid), pidns: pidNamespace, deprecations: [] })),
  };
}

const plugins: readonly Plugin[] = [
  toPlugin('io.containerd.runtime.v2', 'task', [
    { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch, variant: '' },
  ]),
  ...served.map((id) => toPlugin(servicePlugin, id)),
];

function toPlugin(type: string, id: string, platforms: Plugin['platforms'] = []): Plugin {
  return { type, id, requires: [], platforms, exports: {}, capabilities: [], initErr: undefined };
}

function fieldOf({ type, id }: Plugin): (path: readonly string[]) => string | undefined {
  return ([name, ...rest]) => {
    if (rest.length > 0) return undefined;
    if (name === 'type') return type;
    return name === 'id' ? id : undefined;
  };
}
