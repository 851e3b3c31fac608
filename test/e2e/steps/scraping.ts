import { expect, it } from 'vitest';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../support/cluster.ts';
import { eventually } from '../../support/node.ts';
import { limitMs, system, type Release } from '../../support/release.ts';
import { askPromql, readyConfiguration, startPrometheus, type Sample } from '../../support/cluster-prometheus.ts';
import { namespace, type Tickers } from './tickers.ts';

/** It reads Prometheus' configuration and language, and unlike Debian's Prometheus it can ask Kubernetes for its targets. */
const program = '/usr/bin/victoria-metrics';
const image = 'localhost/scraper:test';
const port = 9090;
const account = 'system:serviceaccount:runlet-system:scraper';

/** The job that people have who scrape pods by their annotations. */
const byAnnotations = `
  - job_name: annotated-pods
    scheme: https
    honor_labels: true
    authorization: { credentials_file: /var/run/secrets/kubernetes.io/serviceaccount/token }
    tls_config: { insecure_skip_verify: true }
    kubernetes_sd_configs: [{ role: pod, namespaces: { names: [runlet-system] } }]
    relabel_configs:
      - { source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], regex: 'true', action: keep }
      - { source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scheme], regex: '(https?)', target_label: __scheme__ }
      - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
        regex: '(.+);(.+)'
        replacement: '$1:$2'
        target_label: __address__
`;

/** A scraper in a pod of the cluster, with the configuration that the chart has ready. */
export function startScraping(release: () => Release): void {
  it('has a scrape configuration with which a scraper begins as it is', async () => {
    const { cluster, images } = release();
    await images.importProgram(image, program);
    const ready = await readyConfiguration(cluster);
    expect(ready).toMatch(/^scrape_configs:/);
    const config = `global: { scrape_interval: 1s }\n${ready}\n${byAnnotations}`;
    await cluster.kubectl(['create', 'serviceaccount', 'scraper', ...system]);
    const watching = ['create', 'role', 'scraper', ...system, '--resource=pods', '--verb=get,list,watch'];
    await cluster.kubectl(watching);
    const subject = '--serviceaccount=runlet-system:scraper';
    await cluster.kubectl(['create', 'rolebinding', 'scraper', ...system, '--role=scraper', subject]);
    await cluster.kubectl(['create', 'clusterrolebinding', 'scraper', '--clusterrole=runlet-metrics', subject]);
    await cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pod(config) }));
  });
}

/** What it has got meanwhile. */
export function scrapedSteps(release: () => Release, tickers: () => Tickers): void {
  it('is scraped by it, with its account and over TLS: it knows every task', async () => {
    const ask = async (query: string) => await queryOf(release(), query);
    const jobs = await eventually(
      async () => await ask('sum by (job) (up)'),
      (found) => found.length === 2 && found.every(({ value }) => value === 1),
      'both jobs are up',
      limitMs,
    );
    expect(new Set(jobs.map(({ metric }) => metric['job']))).toEqual(new Set(['annotated-pods', 'runlet']));
    const all = `count(runlet_task_state{job="runlet",state="running",task=~"ticker-.*"} == 1)`;
    const running = async () => (await ask(all))[0]?.value;
    await eventually(running, (count) => count === tickers().alive.length, 'every task is running', limitMs);
    const one = `{job="runlet",task="${tickers().alive[0]}"}`;
    expect(await ask(`runlet_task_memory_limit_bytes${one}`)).toMatchObject([
      { metric: { namespace: `k8s.${namespace}`, node: release().cluster.nodeName }, value: 16 * 2 ** 20 },
    ]);
    const working = async () => (await ask(`rate(runlet_task_cpu_usage_seconds_total${one}[1m])`))[0]?.value ?? 0;
    expect(await eventually(working, (rate) => rate > 0, 'processor time', limitMs)).toBeLessThan(1);
  });

  it('is scraped by Prometheus by the same configuration, with targets from a file', async () => {
    const { cluster } = release();
    const token = (await cluster.kubectl(['create', 'token', 'scraper', ...system])).trim();
    const url = await startPrometheus(cluster, token);
    const all = `count(runlet_task_state{job="runlet",node="${cluster.nodeName}",state="running",task=~"ticker-.*"} == 1)`;
    const running = async () => (await askPromql(cluster, url, all))[0]?.value;
    const count = await eventually(running, (found) => found !== undefined, 'Prometheus knows tasks', limitMs);
    expect(count).toBe(tickers().alive.length);
  });

  it('is not read by accounts without the role', async () => {
    const { cluster } = release();
    const secret = await cluster.get('secret', ...system, 'runlet-metrics');
    const { data } = secret as KubeObject & { readonly data: Readonly<Record<string, string>> };
    const authority = join(cluster.folder, 'metrics.crt');
    writeFileSync(authority, Buffer.from(data['tls.crt'] ?? '', 'base64'));
    const [agent] = await release().agents();
    const address = `runlet:9620:${String(agent?.status?.['podIP'])}:9620`;
    const read = async (name: string) => {
      const token = (await cluster.kubectl(['create', 'token', name, ...system])).trim();
      const options = ['--silent', '--max-time', '30', '--cacert', authority, '--connect-to', address];
      const header = ['-H', `Authorization: Bearer ${token}`, '-o', '/dev/null', '-w', '%{http_code}'];
      return (await cluster.namespaces.run(['curl', ...options, ...header, 'https://runlet:9620/metrics'])).stdout;
    };
    expect([await read('default'), await read('scraper')]).toEqual(['403', '200']);
    expect(await canI(release(), account)).toBe('yes');
  });
}

async function canI({ cluster }: Release, who: string): Promise<string> {
  const argv = ['auth', 'can-i', 'get', '/metrics', `--as=${who}`];
  return (await cluster.kubectl(argv)).trim();
}

/** Asks the scraper in the pod. */
async function queryOf({ cluster }: Release, query: string): Promise<readonly Sample[]> {
  const found = await cluster.get('pod', ...system, 'scraper');
  return await askPromql(cluster, `http://${String(found.status?.['podIP'])}:${port}`, query);
}

function pod(config: string): readonly object[] {
  const metadata = { name: 'scraper', namespace: 'runlet-system' };
  const args = [
    '-promscrape.config=/etc/prometheus/prometheus.yml',
    ...[`-httpListenAddr=:${port}`, '-storageDataPath=/tmp/data', '-search.latencyOffset=1s'],
  ];
  const container = {
    ...{ name: 'scraper', image, imagePullPolicy: 'Never', args },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/prometheus' },
      { name: 'data', mountPath: '/tmp' },
    ],
  };
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'prometheus.yml': config } },
    {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata },
      spec: {
        serviceAccountName: 'scraper',
        terminationGracePeriodSeconds: 1,
        containers: [container],
        volumes: [
          { name: 'config', configMap: { name: 'scraper' } },
          { name: 'data', emptyDir: {} },
        ],
      },
    },
  ];
}
