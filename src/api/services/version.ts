import type { VersionServer } from '../gen/containerd/services/version/v1/version.ts';
import type { Handlers } from '../handler.ts';

/** containerd.services.version.v1.Version. */
export function versionService(handlers: Handlers, version: string): VersionServer {
  return { version: handlers.read(() => ({ version, revision: 'runlet' })) };
}
