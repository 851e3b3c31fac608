import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Child } from './child.ts';
import { eventually } from './node.ts';

/** A Prometheus of a test's own. */
export interface TestPrometheus extends AsyncDisposable {
  /** The value of the first series that an expression gives; undefined when there is none or nobody answers. */
  query(text: string): Promise<number | undefined>;
  /** The same, as soon as there is one that is good. */
  value(text: string, good?: (value: number) => boolean): Promise<number>;
  /** What it says of its last scrape that failed; empty when the last one was good. */
  lastError(): Promise<string>;
}

export interface PrometheusOptions {
  /** Where its files lie. */
  readonly folder: string;
  /** `host:port` of the endpoint. */
  readonly target: string;
  /** More of its `scrape_config`, such as `scheme` and `tls_config`. */
  readonly scrape?: Readonly<Record<string, unknown>>;
  /** Seconds from one scrape to the next; 1 by default. */
  readonly intervalSeconds?: number;
}

/** Starts one that scrapes an endpoint, in the job `runlet`. */
export async function startPrometheus(options: PrometheusOptions): Promise<TestPrometheus> {
  const { folder, target, scrape = {}, intervalSeconds = 1 } = options;
  mkdirSync(folder, { recursive: true });
  const config = {
    global: { scrape_interval: `${intervalSeconds}s`, scrape_timeout: `${intervalSeconds}s` },
    scrape_configs: [{ job_name: 'runlet', static_configs: [{ targets: [target] }], ...scrape }],
  };
  const file = join(folder, 'prometheus.yaml');
  writeFileSync(file, JSON.stringify(config));
  const port = await freePort();
  const argv = [
    ...['prometheus', `--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`],
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child = new Child('prometheus', argv, { logFile: join(folder, 'prometheus.log') });
  const ask = async (path: string): Promise<unknown> => {
    if (!child.running) throw new Error(`prometheus has ended: ${child.log()}`);
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => undefined);
    return answer?.ok ? ((await answer.json()) as { readonly data: unknown }).data : undefined;
  };
  const query = async (text: string) => {
    const data = (await ask(`query?query=${encodeURIComponent(text)}`)) as
      | { readonly result: readonly { readonly value: readonly [number, string] }[] }
      | undefined;
    return data?.result[0] && Number(data.result[0].value[1]);
  };
  return {
    query,
    value: async (text, good = () => true) =>
      (await eventually(
        () => query(text),
        (value) => value !== undefined && good(value),
        text,
      )) ?? Number.NaN,
    lastError: async () => {
      const data = (await ask('targets')) as
        | { readonly activeTargets: readonly { readonly lastError: string }[] }
        | undefined;
      return data?.activeTargets[0]?.lastError ?? '';
    },
    [Symbol.asyncDispose]: () => child.stop(),
  };
}

/** A TCP port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
