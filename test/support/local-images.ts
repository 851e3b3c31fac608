import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { serviceAddress } from './cluster-programs.ts';
import { addImage } from './images.ts';
import { eventually } from './node.ts';
import { makeBusyboxRootfs } from './rootfs.ts';

const host = `${serviceAddress}:5000`;

/** A registry in a cluster's network that stands in for the public one, and images made of this machine's programs. */
export class LocalImages {
  /** A file for `agent.registries`: where the public registry's images come from here. */
  readonly mirror: string;
  /** What the examples and most tests run. */
  readonly busybox = 'docker.io/library/busybox:1.37';
  readonly #cluster: Cluster;
  readonly #folder: string;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#folder = join(cluster.folder, 'images');
    this.mirror = join(this.#folder, 'registries.conf');
  }

  static async start(cluster: Cluster): Promise<LocalImages> {
    const images = new LocalImages(cluster);
    await images.#serve();
    addImage(images.#layout, { layers: [(folder) => void makeBusyboxRootfs(folder)], tag: 'busybox' });
    const to = `docker://${images.busybox.replace('docker.io', host)}`;
    const copy = ['skopeo', '--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false'];
    await cluster.namespaces.run([...copy, `oci:${images.#layout}:busybox`, to]);
    return images;
  }

  /** Gives containerd an image of one program of this machine, with the libraries that it needs, for a pod. */
  async importProgram(name: string, program: string): Promise<void> {
    const files = [program, ...librariesOf(program)];
    const layer = (folder: string) => {
      for (const file of files) {
        mkdirSync(dirname(join(folder, file)), { recursive: true });
        copyFileSync(file, join(folder, file));
      }
      mkdirSync(join(folder, 'tmp'), { mode: 0o1777 });
    };
    const tag = 'program';
    addImage(this.#layout, { layers: [layer], config: { Entrypoint: [program] }, tag });
    const archive = join(this.#folder, 'program.tar');
    const argv = ['--insecure-policy', 'copy', `oci:${this.#layout}:${tag}`, `docker-archive:${archive}:${name}`];
    execFileSync('skopeo', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    await this.#cluster.importImage(archive);
  }

  get #layout(): string {
    return join(this.#folder, 'layout');
  }

  async #serve(): Promise<void> {
    const config = join(this.#folder, 'registry.json');
    const data = join(this.#folder, 'registry');
    mkdirSync(data, { recursive: true });
    const settings = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: data } },
      http: { addr: host, secret: 'of a test' },
    };
    writeFileSync(config, JSON.stringify(settings));
    writeFileSync(this.mirror, `[[registry]]\nprefix = "docker.io"\nlocation = "${host}"\ninsecure = true\n`);
    const registry = this.#cluster.namespaces.spawn('registry', ['docker-registry', 'serve', config]);
    const look = async () => {
      if (!registry.running) throw new Error(`the registry has ended: ${registry.log()}`);
      const ask = ['curl', '--silent', '--fail', '--max-time', '5', `http://${host}/v2/`];
      const answer = await this.#cluster.namespaces.run(ask).catch(() => undefined);
      if (!answer) await setTimeout(100);
      return answer !== undefined;
    };
    await eventually(look, (good) => good, 'a registry');
  }
}

/** By ldd: the files that a program is loaded with. */
function librariesOf(program: string): string[] {
  const said = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...said.matchAll(/(\/\S+) \(0x/g)].flatMap(([, file]) => (file === undefined ? [] : [file]));
}
