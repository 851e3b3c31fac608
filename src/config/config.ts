import type { CheckedSettings } from './schema.ts';

/** The agent's configuration: every setting, with what depends on others or on the machine decided. */
export interface Config extends Omit<CheckedSettings, 'cgroupParent' | 'metricsAuth' | 'nodeName'> {
  /** A path from the root of the cgroups, or a slice with the systemd driver. */
  readonly cgroupParent: string;
  readonly metricsAuth: NonNullable<CheckedSettings['metricsAuth']>;
  readonly nodeName: string;
}
