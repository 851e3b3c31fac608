import { generateKeyPairSync } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { mountsBelow } from '#host/mounts.ts';
import type { Child } from './child.ts';
import { clusterConfigFiles, clusterPrograms, filesIn, nodeName, pauseImage } from './cluster-programs.ts';
import { NodeNamespaces } from './node-namespaces.ts';
import { eventually } from './node.ts';
import { makeBusyboxRootfs } from './rootfs.ts';
import { clientProgram } from './server-programs.ts';

/** Folders of the machine in whose place the cluster has its own: those that programs have built in, and runlet's defaults. */
const ownFolders = [
  ...['/run/containerd', '/run/netns', '/var/lib/cni', '/var/lib/kubelet', '/var/log/pods', '/var/log/containers'],
  ...['/run/runlet', '/var/lib/runlet', '/var/log/runlet'],
];

/** A whole Kubernetes of one node. What it calls /var/lib/runlet and the like is in a folder of the test. */
export interface Cluster extends AsyncDisposable {
  readonly nodeName: string;
  /** Its folder, the same inside and outside. */
  readonly folder: string;
  /** Parent of all its cgroups, in each hierarchy. */
  readonly cgroup: string;
  readonly namespaces: NodeNamespaces;
  /** The test's path of a folder that the cluster has in place of the machine's. */
  own(path: string): string;
  kubectl(args: readonly string[], input?: string): Promise<string>;
  helm(args: readonly string[]): Promise<string>;
  /** An object as kubectl has it. */
  get(...args: readonly string[]): Promise<KubeObject>;
  importImage(archive: string): Promise<void>;
  /** containerd's client, in the namespace of kubelet's containers. */
  ctr(...args: readonly string[]): Promise<string>;
  /** Kills containerd and starts it again. */
  restartContainerd(): Promise<void>;
  /** The end of every program's log. */
  logs(): string;
}

/** As much of an object as tests read. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
  };
  readonly status?: Readonly<Record<string, unknown>>;
  readonly items?: readonly KubeObject[];
}

/** Starts one and waits for its node. */
export async function startCluster(): Promise<Cluster> {
  const cluster = new RealCluster(mkdtempSync(join(tmpdir(), 'runlet-test-')));
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    const said = cluster.logs();
    await cluster[Symbol.asyncDispose]();
    throw new Error(`the cluster does not start:\n${said}`, { cause: error });
  }
}

class RealCluster implements Cluster {
  readonly nodeName = nodeName;
  readonly folder: string;
  readonly cgroup: string;
  readonly #file: (name: string) => string;
  readonly #children = new Map<string, Child>();
  /** Folders that the machine did not have. */
  readonly #made: string[] = [];
  #namespaces: NodeNamespaces | undefined;

  constructor(folder: string) {
    this.folder = folder;
    this.cgroup = `/${basename(folder)}`;
    this.#file = filesIn(folder);
  }

  get namespaces(): NodeNamespaces {
    if (!this.#namespaces) throw new Error('the cluster has not started');
    return this.#namespaces;
  }

  own(path: string): string {
    return join(this.folder, 'own', path);
  }

  async start(): Promise<void> {
    this.#writeFiles();
    for (const folder of cgroupFolders(this.cgroup)) mkdirSync(folder, { recursive: true });
    this.#namespaces = await NodeNamespaces.start({
      folder: this.folder,
      binds: new Map(ownFolders.map((path) => [path, this.own(path)])),
      address: '10.96.0.1',
    });
    this.#spawn('etcd');
    this.#spawn('containerd');
    await this.#answers('etcd', ['bash', '-c', '</dev/tcp/127.0.0.1/2379']);
    this.#spawn('kube-apiserver');
    await this.#answers('kube-apiserver', this.#kubectl(['get', '--raw', '/readyz']));
    for (const name of ['kube-controller-manager', 'kube-scheduler']) this.#spawn(name);
    await this.#answers('containerd', this.#ctr('version'));
    await this.importImage(this.#makePauseImage());
    this.#spawn('kubelet');
    await this.#answers(
      'kubelet',
      this.#kubectl(['wait', '--for=condition=Ready', `node/${nodeName}`, '--timeout=5s']),
    );
  }

  async kubectl(args: readonly string[], input?: string): Promise<string> {
    return (await this.namespaces.run(this.#kubectl(args), input === undefined ? {} : { input })).stdout;
  }

  async helm(args: readonly string[]): Promise<string> {
    const env = { KUBECONFIG: this.#file('admin.kubeconfig'), HOME: this.folder };
    return (await this.namespaces.run([clientProgram('helm'), ...args], { env })).stdout;
  }

  async get(...args: readonly string[]): Promise<KubeObject> {
    return JSON.parse(await this.kubectl(['get', ...args, '-o', 'json'])) as KubeObject;
  }

  async importImage(archive: string): Promise<void> {
    await this.ctr('images', 'import', archive);
  }

  async ctr(...args: readonly string[]): Promise<string> {
    return (await this.namespaces.run(this.#ctr('-n', 'k8s.io', ...args))).stdout;
  }

  async restartContainerd(): Promise<void> {
    await this.#children.get('containerd')?.stop();
    this.#spawn('containerd');
    await this.#answers('containerd', this.#ctr('version'));
  }

  logs(): string {
    return [...this.#children].map(([name, child]) => `${name}: ${child.log()}`).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What is frozen does not die under v1, and the kernel waits for it.
    for (const file of stateFiles(this.cgroup)) writeFileSync(file, 'THAWED');
    await this.#namespaces?.[Symbol.asyncDispose]();
    await Promise.all([...this.#children.values()].map((child) => child.stop()));
    for (const folder of cgroupFolders(this.cgroup)) await removeCgroups(folder);
    for (const { mountPoint } of mountsBelow(this.folder)) execFileSync('umount', ['-l', mountPoint]);
    for (const folder of this.#made.toReversed()) removeIfEmpty(folder);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  #writeFiles(): void {
    for (const path of ownFolders) {
      mkdirSync(this.own(path), { recursive: true });
      for (let at = path; !existsSync(at); at = dirname(at)) this.#made.unshift(at);
      mkdirSync(path, { recursive: true });
    }
    for (const [name, text] of Object.entries(clusterConfigFiles(this.#file))) {
      mkdirSync(dirname(this.#file(name)), { recursive: true });
      writeFileSync(this.#file(name), text, { mode: 0o600 });
    }
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    });
    writeFileSync(this.#file('sa.key'), privateKey, { mode: 0o600 });
    writeFileSync(this.#file('sa.pub'), publicKey);
  }

  /** An image that does nothing, for the sandbox of each pod. */
  #makePauseImage(): string {
    const layout = this.#file('pause');
    const archive = this.#file('pause.tar');
    run('umoci', 'init', '--layout', layout);
    run('umoci', 'new', '--image', `${layout}:pause`);
    run('umoci', 'insert', '--image', `${layout}:pause`, makeBusyboxRootfs(this.#file('pause-rootfs')), '/');
    run(
      'umoci',
      'config',
      '--image',
      `${layout}:pause`,
      ...['/bin/tail', '-f', '/dev/null'].map((word) => `--config.cmd=${word}`),
    );
    run('skopeo', '--insecure-policy', 'copy', `oci:${layout}:pause`, `docker-archive:${archive}:${pauseImage}`);
    return archive;
  }

  #kubectl(args: readonly string[]): string[] {
    return [
      clientProgram('kubectl'),
      '--kubeconfig',
      this.#file('admin.kubeconfig'),
      '--cache-dir',
      this.#file('kubectl'),
      ...args,
    ];
  }

  #ctr(...args: string[]): string[] {
    return ['ctr', '--address', this.#file('containerd.sock'), ...args];
  }

  #spawn(name: string): void {
    const argv = clusterPrograms(this.#file, this.cgroup)[name] ?? [];
    this.#children.set(name, this.namespaces.spawn(name, argv));
  }

  /** Waits until a program that asks another one ends well; one that has ended never answers. */
  async #answers(name: string, argv: readonly string[]): Promise<void> {
    let said = '';
    const look = async () => {
      if (!this.#children.get(name)?.running) throw new Error(`${name} has ended: ${this.#children.get(name)?.log()}`);
      return await this.namespaces.run(argv).then(
        () => true,
        async (error: unknown) => {
          said = String(error);
          await setTimeout(200);
          return false;
        },
      );
    };
    await eventually(look, (good) => good, `waiting for ${name}`, 180_000).catch((error: unknown) => {
      throw new Error(`${name} does not answer: ${said}`, { cause: error });
    });
  }
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A cgroup's folder in each hierarchy of the machine. */
export function cgroupFolders(cgroup: string): string[] {
  const root = '/sys/fs/cgroup';
  if (existsSync(join(root, 'cgroup.controllers'))) return [join(root, cgroup)];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(root, name, cgroup));
}

/** The switches of v1's freezer in a cgroup and below it. */
function stateFiles(cgroup: string): string[] {
  return cgroupFolders(cgroup)
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter(({ name }) => name === 'freezer.state')
    .map((file) => join(file.parentPath, file.name));
}

async function removeCgroups(folder: string): Promise<void> {
  const look = () => {
    try {
      removeTree(folder);
      return true;
    } catch {
      return false; // the kernel has not yet let go of its last process
    }
  };
  await eventually(look, (gone) => gone, `removing ${folder}`);
}

function removeTree(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  rmdirSync(folder);
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // somebody else has put something there meanwhile
  }
}

/** The process ids in a cgroup and below it, in any hierarchy. */
export function pidsBelow(cgroup: string): number[] {
  const files = cgroupFolders(cgroup)
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter(({ name }) => name === 'cgroup.procs');
  const lines = files.flatMap((file) => readFileSync(join(file.parentPath, file.name), 'utf8').split('\n'));
  return [...new Set(lines.filter((line) => line !== '').map(Number))];
}
