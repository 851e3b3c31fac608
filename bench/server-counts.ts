import type { ApiServer } from '../test/support/api-server.ts';
import { cpuMs, memoryOf } from './program.ts';

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What an API server and its database have done and hold by now. */
export interface ServerCounts {
  /** By verb and resource, such as `PATCH nodetasks/status`; ours, events and namespaces alone. */
  readonly requests: ReadonlyMap<string, number>;
  /** Of NodeTasks: sent on watches, and their bytes. */
  readonly watchEvents: number;
  readonly watchBytes: number;
  /** Watches that the server has cut because their client, or itself, was too slow. */
  readonly cut: number;
  /** Watches of our kinds that are open. */
  readonly watches: number;
  readonly programs: readonly ProgramCounts[];
}

export interface ProgramCounts {
  readonly name: string;
  readonly cpuMs: number;
  /** KiB. */
  readonly rss: number;
  /** Bytes of Go's heap that are in use. */
  readonly heap: number;
  readonly descriptors: number;
}

/** Asks every program of a server. */
export async function countServer(server: ApiServer): Promise<ServerCounts> {
  const programs = await Promise.all(
    server.programs().map(async ({ name, pid, metrics }) => ({ name, pid, samples: parse(await metrics()) })),
  );
  const samples = programs.flatMap((program) => program.samples);
  return {
    requests: requestsOf(samples),
    watchEvents: sum(
      samples.filter(({ name, labels }) => name === 'apiserver_watch_events_total' && isNodeTask(labels)),
    ),
    watchBytes: sum(
      samples.filter(({ name, labels }) => name === 'apiserver_watch_events_sizes_sum' && isNodeTask(labels)),
    ),
    cut: sum(samples.filter(({ name }) => name === 'apiserver_terminated_watchers_total')),
    watches: sum(samples.filter(isWatch)),
    programs: programs.map(({ name, pid, samples: own }) => ({
      ...{ name, cpuMs: cpuMs(pid), rss: memoryOf(pid).rss },
      heap: valueOf(own, 'go_memstats_heap_inuse_bytes'),
      descriptors: valueOf(own, 'process_open_fds'),
    })),
  };
}

/** What came of each verb and resource between two counts. */
export function requestsBetween(before: ServerCounts, after: ServerCounts): ReadonlyMap<string, number> {
  const entries = [...after.requests].map(([what, count]): [string, number] => [
    what,
    count - (before.requests.get(what) ?? 0),
  ]);
  return new Map(entries.filter(([, count]) => count > 0));
}

function requestsOf(samples: readonly Sample[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { name, labels, value } of samples) {
    if (name !== 'apiserver_request_total' || !isOurs(labels['resource'])) continue;
    const resource = labels['subresource'] ? `${labels['resource']}/${labels['subresource']}` : labels['resource'];
    const what = `${labels['verb']} ${resource}`;
    counts.set(what, (counts.get(what) ?? 0) + value);
  }
  return counts;
}

function isOurs(resource = ''): boolean {
  return resource.startsWith('nodetask') || resource === 'events' || resource === 'namespaces';
}

/** Older servers name the kind, newer ones the resource. */
function isNodeTask(labels: Sample['labels']): boolean {
  return labels['kind'] === 'NodeTask' || labels['resource'] === 'nodetasks';
}

function isWatch({ name, labels }: Sample): boolean {
  const gauge = name === 'apiserver_longrunning_gauge' || name === 'apiserver_longrunning_requests';
  return gauge && labels['verb'] === 'WATCH' && (labels['resource'] ?? '').startsWith('nodetask');
}

function valueOf(samples: readonly Sample[], name: string): number {
  return samples.find((sample) => sample.name === name)?.value ?? 0;
}

function sum(samples: readonly Sample[]): number {
  return samples.reduce((total, { value }) => total + value, 0);
}

/** Reads Prometheus' text as far as it matters here: label values without quotes in them. */
function parse(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', labels = '', value = ''] = /^([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+)$/.exec(line) ?? [];
    if (!name) return [];
    const pairs = [...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key = '', text_ = '']) => [key, text_]);
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
  });
}
