import * as z from 'zod';
import { PermissionDeniedError, UnavailableError } from '#errors/errors.ts';
import type { KubernetesClient } from '../client/client.ts';
import { isMissing, KubernetesError } from '../client/kubernetes-error.ts';
import type { ConfigData, ConfigSource } from '../node-task/config-source.ts';

const texts = z.record(z.string(), z.string()).nullish();
const configMapSchema = z.looseObject({ data: texts, binaryData: texts });
const secretSchema = z.looseObject({ data: texts });

/**
 * ConfigMaps and Secrets, asked for when a task is made and never kept: what is secret stays in memory. Throws
 * PermissionDeniedError that says what to grant, UnavailableError while the server is away.
 */
export class ClusterConfig implements ConfigSource {
  readonly #client: KubernetesClient;

  constructor(client: KubernetesClient) {
    this.#client = client;
  }

  async configMap(namespace: string, name: string): Promise<ConfigData | undefined> {
    const object = await this.#read('configmaps', namespace, name);
    if (object === undefined) return undefined;
    const { data, binaryData } = configMapSchema.parse(object);
    return new Map([...entries(data, 'utf8'), ...entries(binaryData, 'base64')]);
  }

  async secret(namespace: string, name: string): Promise<ConfigData | undefined> {
    const object = await this.#read('secrets', namespace, name);
    if (object === undefined) return undefined;
    return new Map(entries(secretSchema.parse(object).data, 'base64'));
  }

  async #read(plural: 'configmaps' | 'secrets', namespace: string, name: string): Promise<unknown> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/${plural}/${encodeURIComponent(name)}`;
    try {
      return await this.#client.get(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      const what = `${plural === 'secrets' ? 'Secret' : 'ConfigMap'} ${name} of namespace ${namespace}`;
      if (error instanceof KubernetesError && error.status === 403) {
        throw new PermissionDeniedError(
          `${what} may not be read: grant the agent's service account get on ${plural} in that namespace (docs/kubernetes.md)`,
          { cause: error },
        );
      }
      throw new UnavailableError(`${what} cannot be read now`, { cause: error });
    }
  }
}

function entries(data: z.output<typeof texts>, encoding: BufferEncoding): [string, Uint8Array][] {
  return Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, encoding)]);
}
