import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { load } from 'js-yaml';
import type { Cluster, KubeObject } from './cluster.ts';

const system = ['-n', 'runlet-system'];
const address = '127.0.0.1:9091';

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The scrape configuration that the chart has ready. */
export async function readyConfiguration(cluster: Cluster): Promise<string> {
  const map = (await cluster.get('configmap', ...system, 'runlet-scrape')) as KubeObject & {
    readonly data: Readonly<Record<string, string>>;
  };
  return map.data['runlet.yaml'] ?? '';
}

interface Job {
  readonly kubernetes_sd_configs: readonly {
    readonly namespaces: { readonly names: readonly string[] };
    readonly selectors: readonly { readonly label: string }[];
  }[];
  readonly [field: string]: unknown;
}

/**
 * Starts Prometheus on the cluster's node with the chart's configuration; returns its address. Debian builds it without
 * Kubernetes' discovery, so what that would find is read here, by the same selectors, and is in a file with the same labels.
 */
export async function startPrometheus(cluster: Cluster, token: string): Promise<string> {
  const folder = join(cluster.folder, 'prometheus');
  mkdirSync(folder);
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const { scrape_configs: jobs } = load(await readyConfiguration(cluster)) as {
    readonly scrape_configs: readonly Job[];
  };
  const scrapeConfigs = [];
  for (const { kubernetes_sd_configs: discovery, ...job } of jobs) {
    const targets = file('targets.json', JSON.stringify(await discover(cluster, discovery)));
    const authorization = { credentials_file: file('token', token) };
    scrapeConfigs.push({ ...job, authorization, file_sd_configs: [{ files: [targets] }] });
  }
  const global = { scrape_interval: '1s' };
  const config = file('prometheus.json', JSON.stringify({ global, scrape_configs: scrapeConfigs }));
  const argv = ['prometheus', `--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`];
  cluster.namespaces.spawn('prometheus', [...argv, `--web.listen-address=${address}`]);
  return `http://${address}`;
}

interface Pod extends KubeObject {
  readonly spec: {
    readonly nodeName: string;
    readonly containers: readonly {
      readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
    }[];
  };
}

/** One target for each port of each pod, as role `pod` has it. */
async function discover(cluster: Cluster, discovery: Job['kubernetes_sd_configs']): Promise<readonly object[]> {
  const found: object[] = [];
  for (const { namespaces, selectors } of discovery) {
    for (const name of namespaces.names) {
      const labels = selectors.map(({ label }) => label).join(',');
      const { items = [] } = await cluster.get('pods', '-n', name, '-l', labels);
      found.push(...(items as readonly Pod[]).flatMap(targetsOf));
    }
  }
  return found;
}

function targetsOf({ spec, status }: Pod): readonly object[] {
  const ports = spec.containers.flatMap((container) => container.ports ?? []);
  return ports.map(({ name, containerPort }) => ({
    targets: [`${String(status?.['podIP'])}:${containerPort}`],
    labels: { __meta_kubernetes_pod_container_port_name: name, __meta_kubernetes_pod_node_name: spec.nodeName },
  }));
}

/** Asks Prometheus, or what speaks its language; nothing when it does not answer yet. */
export async function askPromql(cluster: Cluster, url: string, query: string): Promise<readonly Sample[]> {
  const argv = ['curl', '--silent', '--max-time', '30', '--get', '--data-urlencode', `query=${query}`];
  const said = await cluster.namespaces.run([...argv, `${url}/api/v1/query`]).catch(() => undefined);
  if (!said?.stdout) {
    await setTimeout(500);
    return [];
  }
  const { data } = JSON.parse(said.stdout) as {
    readonly data?: {
      readonly result: readonly { readonly metric: Sample['metric']; readonly value: readonly [number, string] }[];
    };
  };
  return (data?.result ?? []).map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}
