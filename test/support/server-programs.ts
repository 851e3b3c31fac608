import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** First of Kubernetes' minor versions whose CRDs have selectable fields for everybody; it is what `modern` promises. */
const modernMinor = 32;

/** Where scripts/test-servers.sh puts what it makes. */
const madeHere = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'runlet/test-servers/bin');

/** The programs of a control plane that this machine has. */
export interface ServerPrograms {
  readonly etcd: string;
  readonly apiServer: string;
  /** The y of its version 1.y. */
  readonly minor: number;
  /** Serves our kinds behind an API server that is too old for CEL rules. */
  readonly crdServer: string | undefined;
}

/** Finds them: KUBEBUILDER_ASSETS first, then what scripts/test-servers.sh made. Throws an Error that says how to get them. */
export function findServerPrograms(): ServerPrograms {
  const apiServer = find('kube-apiserver');
  const [, minor = '0'] = /v1\.(\d+)/.exec(execFileSync(apiServer, ['--version'], { encoding: 'utf8' })) ?? [];
  return {
    etcd: find('etcd'),
    apiServer,
    minor: Number(minor),
    crdServer: Number(minor) >= modernMinor ? undefined : find('apiextensions-apiserver'),
  };
}

/** The path of a client program, kubectl or helm. */
export function clientProgram(name: 'kubectl' | 'helm'): string {
  return find(name);
}

/** The path of a program of a whole cluster's node and control plane. */
export function nodeProgram(name: 'kubelet' | 'kube-controller-manager' | 'kube-scheduler'): string {
  return find(name);
}

function find(name: string): string {
  const folders = [process.env['KUBEBUILDER_ASSETS'], madeHere, ...(process.env['PATH'] ?? '').split(delimiter)];
  const paths = folders.filter((folder) => folder).map((folder) => join(folder ?? '', name));
  const path = paths.find(isExecutable);
  if (path) return path;
  throw new Error(`${name} is not on this machine: run "bash scripts/test-servers.sh clients servers node"`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
