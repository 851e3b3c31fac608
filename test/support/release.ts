import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { startCluster, type Cluster, type KubeObject } from './cluster.ts';
import { chartFolder } from './helm.ts';
import { imageArchive } from './image-archive.ts';
import { LocalImages } from './local-images.ts';
import { eventually } from './node.ts';
import { makeBusyboxRootfs } from './rootfs.ts';

/** More than any step takes on a loaded machine. */
export const limitMs = 180_000;
export const timeout = `${limitMs / 1000}s`;
/** Between two questions to the API server; each starts a program. */
const pollMs = 500;
export const system = ['-n', 'runlet-system'];
const agentPods = ['pods', ...system, '-l', 'app.kubernetes.io/component=agent'];

/** runlet as Helm installs it on a whole cluster, with a registry from which tasks get their images. */
export class Release implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly images: LocalImages;
  /** Root file systems that API clients may name; the same path in the agent's pod. */
  readonly rootfs: string;
  readonly #archive: string;

  private constructor(cluster: Cluster, images: LocalImages, archive: string) {
    this.cluster = cluster;
    this.images = images;
    this.#archive = archive;
    this.rootfs = join(cluster.folder, 'rootfs');
  }

  /** Starts the cluster and gives it the image of this checkout, or one that was made before. */
  static async prepare(): Promise<Release> {
    const cluster = await startCluster();
    try {
      mkdirSync(join(cluster.folder, 'rootfs'));
      makeBusyboxRootfs(join(cluster.folder, 'rootfs/busybox'));
      const images = await LocalImages.start(cluster);
      const release = new Release(cluster, images, imageArchive(cluster.folder));
      await release.importImage();
      return release;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async importImage(): Promise<void> {
    await this.cluster.importImage(this.#archive);
  }

  /** The line of the chart's README, and what this cluster needs beside it. */
  async install(...more: readonly string[]): Promise<void> {
    const [, line = ''] =
      /^(helm install runlet .*)$/m.exec(readFileSync(join(chartFolder, 'README.md'), 'utf8')) ?? [];
    const [, ...words] = line.replace('charts/runlet', chartFolder).split(' ');
    await this.cluster.helm([...words, ...this.#values(), ...more]);
  }

  async upgrade(...more: readonly string[]): Promise<void> {
    await this.cluster.helm(['upgrade', 'runlet', chartFolder, ...system, ...this.#values(), ...more, '--wait']);
  }

  async rollback(revision: number): Promise<void> {
    await this.cluster.helm(['rollback', 'runlet', String(revision), ...system, '--wait', '--timeout', timeout]);
  }

  async test(): Promise<void> {
    await this.cluster.helm(['test', 'runlet', ...system, '--timeout', timeout]);
  }

  /** Uninstalls and waits until every pod of the release is gone. */
  async uninstall(): Promise<void> {
    await this.cluster.helm(['uninstall', 'runlet', ...system, '--wait', '--timeout', timeout]);
    const look = async () => (await this.cluster.get('pods', ...system, '-l', 'app.kubernetes.io/name=runlet')).items;
    await eventually(look, (items) => items?.length === 0, 'the end of the pods', limitMs);
  }

  /** The pods of agents, those on their way out too. */
  async agents(): Promise<readonly KubeObject[]> {
    return (await this.cluster.get(...agentPods)).items ?? [];
  }

  /** The agent's pod, once there is only one and it is ready and not `previous`. */
  async agentReady(previous?: KubeObject): Promise<KubeObject> {
    const look = async () => {
      const [pod, ...others] = await this.agents();
      if (pod && others.length === 0 && isReady(pod) && pod.metadata.uid !== previous?.metadata.uid) return pod;
      await setTimeout(pollMs);
      return undefined;
    };
    const found = await eventually(look, (pod) => pod !== undefined, 'an agent that is ready', limitMs);
    if (!found) throw new Error('no agent');
    return found;
  }

  /** Sends the agent away from the node, or lets it come back: tasks stay. */
  async setAgentWanted(wanted: boolean): Promise<void> {
    const nodeSelector = { 'runlet.dev/nowhere': wanted ? null : 'true' };
    const patch = JSON.stringify({ spec: { template: { spec: { nodeSelector } } } });
    await this.cluster.kubectl(['patch', 'daemonset/runlet', ...system, '--type=merge', '-p', patch]);
    if (wanted) return;
    const look = async () => (await this.agents()).length;
    await eventually(look, (count) => count === 0, 'the agent leaves', limitMs);
  }

  /** How long the newest agent took from its start until it served, milliseconds: it has taken every task on by then. */
  async adoptionMs(pod: KubeObject): Promise<number> {
    const log = await this.cluster.kubectl(['logs', ...system, pod.metadata.name]);
    const started = log.split('\n').find((line) => line.includes('"agent started"'));
    return (JSON.parse(started ?? '{}') as { readonly durationMs?: number }).durationMs ?? Number.NaN;
  }

  /** What kubelet and the pods themselves say. */
  async describe(): Promise<string> {
    const questions = [
      ['describe', 'pods', ...system],
      ['logs', ...system, '-l', 'app.kubernetes.io/name=runlet', '--tail=20'],
      ['get', 'nodetasks,nodetaskexecs,nodetaskcheckpoints', '--all-namespaces', '-o', 'wide'],
      ['get', 'events', '--all-namespaces'],
    ];
    const answers = questions.map(async (words) => await this.cluster.kubectl(words).catch(String));
    return [...(await Promise.all(answers)).map((text) => text.slice(-20_000)), this.cluster.logs()].join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
  }

  #values(): string[] {
    const { cluster, images } = this;
    return [
      ...['--set', 'allowUnsupportedKubernetes=true', '--set', `agent.cgroupParent=${cluster.cgroup}/runlet`],
      ...['--set', `agent.rootfsAllow={${this.rootfs}}`, '--set-file', `agent.registries=${images.mirror}`],
      // Short enough to be waited for.
      ...['--set', 'controller.graceSeconds=15', '--timeout', timeout],
    ];
  }
}

function isReady({ metadata, status }: KubeObject): boolean {
  const conditions = (status?.['conditions'] ?? []) as readonly { type: string; status: string }[];
  const ready = conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  return ready && metadata.deletionTimestamp === undefined;
}
