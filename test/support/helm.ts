import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadAll } from 'js-yaml';
import { clientProgram } from './server-programs.ts';

export const chartFolder = join(import.meta.dirname, '../../charts/runlet');

/** An object of a rendered chart. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

const run = promisify(execFile);

/** Runs helm to its end; rejects with what it said. */
export async function helm(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(clientProgram('helm'), [...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Renders the chart as `helm install` would for a Kubernetes of this minor version. */
export async function render(minor: number, ...flags: readonly string[]): Promise<readonly Rendered[]> {
  const text = await helm(
    ...['template', 'runlet', chartFolder, '--namespace', 'runlet-system', '--kube-version', `1.${minor}.0`, ...flags],
  );
  return (loadAll(text) as (Rendered | null)[]).filter((object) => object !== null);
}
