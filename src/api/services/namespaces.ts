import { InvalidArgumentError, errorMessage } from '#errors/errors.ts';
import { parseNamespace } from '#task/ids.ts';
import type { NamespaceRecord, NamespaceStore } from '#task/namespaces.ts';
import type { Namespace, NamespacesServer } from '../gen/containerd/services/namespaces/v1/namespaces.ts';
import type { Handlers } from '../handler.ts';
import { checkLabels, withoutEmpty } from '../labels.ts';

/** containerd.services.namespaces.v1.Namespaces over the records. */
export function namespacesService(handlers: Handlers, namespaces: NamespaceStore): NamespacesServer {
  return {
    get: handlers.read(({ name }) => ({ namespace: namespaces.get(parseNamespace(name)) })),
    list: handlers.read(() => ({ namespaces: namespaces.list() })),
    create: handlers.change('create-namespace', async ({ namespace }) => {
      const record = fromWire(namespace);
      await namespaces.create({ ...record, labels: withoutEmpty(record.labels) });
      return { namespace: record };
    }),
    update: handlers.change('update-namespace', async ({ namespace, updateMask }) => {
      const asked = fromWire(namespace);
      const before = namespaces.get(asked.name);
      await namespaces.update({ name: asked.name, labels: updatedLabels(before, asked, updateMask) }, asked.labels);
      return { namespace: undefined };
    }),
    delete: handlers.change('delete-namespace', async ({ name }) => {
      await namespaces.delete(parseNamespace(name));
      return {};
    }),
  };
}

function fromWire(namespace: Namespace | undefined): NamespaceRecord {
  if (!namespace) throw new InvalidArgumentError('namespace is missing: invalid argument');
  checkLabels(namespace.labels);
  return { name: parseName(namespace.name), labels: namespace.labels };
}

/** In a message of its own a name is refused without the words for a call's metadata, as in containerd. */
function parseName(text: string): NamespaceRecord['name'] {
  try {
    return parseNamespace(text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error).replace(/^namespace validation: /, ''), { cause: error });
  }
}

/** All labels replaced or, with a mask, only those that it names; a label set to nothing goes. */
function updatedLabels(before: NamespaceRecord, asked: NamespaceRecord, mask: readonly string[] = []) {
  const changes: Record<string, string> = {};
  for (const path of mask) {
    const key = path.startsWith('labels.') ? path.slice('labels.'.length) : undefined;
    if (key === undefined) throw new InvalidArgumentError(`cannot update "${path}" field: invalid argument`);
    changes[key] = asked.labels[key] ?? '';
  }
  return withoutEmpty(mask.length === 0 ? asked.labels : { ...before.labels, ...changes });
}
