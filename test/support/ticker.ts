import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';

/** More than a loaded machine keeps a process waiting; what is lost or stopped is silent for longer, or begins at 1. */
const longestGapSeconds = 10;

export interface Tick {
  readonly number: number;
  /** Seconds since the machine started. */
  readonly atSeconds: number;
}

/** A NodeTask that prints a number every 100 ms, with the time of it. */
export function tickerTask(cluster: Cluster, options: { readonly namespace: string; readonly rootfs: string }): object {
  return {
    apiVersion: 'runlet.dev/v1alpha1',
    kind: 'NodeTask',
    metadata: { name: 'ticker', namespace: options.namespace },
    spec: {
      nodeName: cluster.nodeName,
      rootfs: { path: options.rootfs },
      command: ['/bin/sh', '-c'],
      args: ['i=0; while :; do i=$((i+1)); read -r up rest </proc/uptime; echo "tick $i $up"; usleep 100000; done'],
      terminationGracePeriodSeconds: 1,
      resources: { limits: { cpu: '500m', memory: '64Mi' } },
    },
  };
}

const line = / tick (\d+) (\d+\.\d+)$/;

/** What it has printed until now, from its log, oldest first. */
export function readTicks(cluster: Cluster): Tick[] {
  const folder = cluster.own('/var/log/runlet');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath.includes('ticker'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .flatMap((text) => text.split('\n'))
    .map((text) => line.exec(text) ?? [])
    .filter(({ length }) => length > 0)
    .map(([, number, at]) => ({ number: Number(number), atSeconds: Number(at) }))
    .toSorted((one, other) => one.number - other.number);
}

/** What is wrong with ticks: numbers that lack or come twice, and, after the first `from`, pauses. */
export function missedTicks(ticks: readonly Tick[], from = 0): string[] {
  return ticks.flatMap((tick, index) => {
    const before = ticks[index - 1];
    if (!before) return tick.number === 1 ? [] : [`the first tick is ${tick.number}`];
    if (tick.number !== before.number + 1) return [`tick ${tick.number} follows ${before.number}`];
    const gap = tick.atSeconds - before.atSeconds;
    return index > from && gap > longestGapSeconds ? [`tick ${tick.number} came ${gap.toFixed(1)} s late`] : [];
  });
}
