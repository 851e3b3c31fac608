import { TerminalError } from '#errors/errors.ts';

/** The data of a ConfigMap or Secret: key → bytes. */
export type ConfigData = ReadonlyMap<string, Uint8Array>;

/** Where ConfigMaps and Secrets come from. Undefined: there is no such object. Throws when it may not be read. */
export interface ConfigSource {
  configMap(namespace: string, name: string): Promise<ConfigData | undefined>;
  secret(namespace: string, name: string): Promise<ConfigData | undefined>;
}

/** For agents without a cluster: nobody could answer. */
export const noConfigSource: ConfigSource = {
  configMap: async (_namespace, name) => await refuse('ConfigMap', name),
  secret: async (_namespace, name) => await refuse('Secret', name),
};

function refuse(kind: string, name: string): Promise<never> {
  return Promise.reject(
    new TerminalError(
      'ConfigUnavailable',
      `${kind} ${name} cannot be read: this agent has no cluster; write the value itself, or use a hostPath volume`,
    ),
  );
}
