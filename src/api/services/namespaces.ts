import { InvalidArgumentError } from '#errors/errors.ts';
import { parseNamespace } from '#task/ids.ts';
import type { NamespaceStore } from '#task/namespaces.ts';
import type { NamespacesServer } from '../gen/containerd/services/namespaces/v1/namespaces.ts';
import type { Handlers } from '../handler.ts';

/** containerd.services.namespaces.v1.Namespaces over the records. */
export function namespacesService(handlers: Handlers, namespaces: NamespaceStore): NamespacesServer {
  return {
    get: handlers.read(({ name }) => ({ namespace: namespaces.get(parseNamespace(name)) })),
    list: handlers.read(() => ({ namespaces: namespaces.list() })),
    create: handlers.change('create-namespace', async ({ namespace }) => {
      if (!namespace) throw new InvalidArgumentError('namespace is missing: invalid argument');
      const record = { name: parseNamespace(namespace.name), labels: namespace.labels };
      await namespaces.create(record);
      return { namespace: record };
    }),
    update: handlers.change('update-namespace', async ({ namespace, updateMask }) => {
      if (!namespace) throw new InvalidArgumentError('namespace is missing: invalid argument');
      const before = namespaces.get(parseNamespace(namespace.name));
      const paths = updateMask ?? [];
      const labels: Record<string, string> = paths.length > 0 ? { ...before.labels } : { ...namespace.labels };
      for (const path of paths) {
        const key = path.replace(/^labels\.?/, '');
        if (key === path)
          throw new InvalidArgumentError(`cannot update field ${path} of a namespace: invalid argument`);
        if (key === '') Object.assign(labels, namespace.labels);
        else if (namespace.labels[key]) labels[key] = namespace.labels[key];
        else delete labels[key];
      }
      const record = { name: before.name, labels };
      await namespaces.update(record);
      return { namespace: record };
    }),
    delete: handlers.change('delete-namespace', async ({ name }) => {
      await namespaces.delete(parseNamespace(name));
      return {};
    }),
  };
}
