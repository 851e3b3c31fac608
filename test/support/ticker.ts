import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';

export interface Tick {
  readonly number: number;
  /** Seconds since the machine started. */
  readonly atSeconds: number;
}

/**
 * A NodeTask that prints a number every 100 ms, with the time of it, and ends with 42 when it is sent USR1. It starts no
 * process for that: a hundred of them are to run on two cores.
 */
export function tickerTask(options: {
  readonly nodeName: string;
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
}): object {
  const { nodeName, namespace, name, image } = options;
  return {
    apiVersion: 'runlet.dev/v1alpha1',
    kind: 'NodeTask',
    metadata: { name, namespace },
    spec: {
      ...{ nodeName, image, command: ['/bin/sh', '-c'], args: [script] },
      volumes: [{ name: 'clock', emptyDir: {} }],
      volumeMounts: [{ name: 'clock', mountPath: '/clock' }],
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      resources: { limits: { memory: '16Mi', pids: '10' } },
    },
  };
}

/** A FIFO to which nobody writes is a clock: reading it takes as long as one lets it. */
const script = `trap 'exit 42' USR1
[ -p /clock/never ] || mkfifo /clock/never
exec 3<>/clock/never
i=0
while :; do
  i=$((i+1)); read -r up rest </proc/uptime; echo "tick $i $up"
  read -r -t 0.1 nothing <&3
done`;

const line = / tick (\d+) (\d+\.\d+)$/;

/** What it has printed until now, from its logs, oldest first. */
export function readTicks(cluster: Cluster, namespace: string, name: string): Tick[] {
  const folder = join(cluster.own('/var/log/runlet'), `k8s.${namespace}`, name);
  return readdirSync(folder)
    .flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'))
    .map((text) => line.exec(text) ?? [])
    .filter(({ length }) => length > 0)
    .map(([, number, at]) => ({ number: Number(number), atSeconds: Number(at) }))
    .toSorted((one, other) => one.number - other.number);
}

/** Numbers that lack or come twice. */
export function missedTicks(ticks: readonly Tick[]): string[] {
  return ticks.flatMap(({ number }, index) => {
    const before = ticks[index - 1]?.number ?? 0;
    return number === before + 1 ? [] : [`tick ${number} follows ${before}`];
  });
}

/** The longest time between two ticks, seconds, from the tick with this number on. */
export function largestGap(ticks: readonly Tick[], from = 1): number {
  const gaps = ticks.map((tick, index) => {
    const before = ticks[index - 1];
    return before && before.number >= from ? tick.atSeconds - before.atSeconds : 0;
  });
  return Math.max(0, ...gaps);
}
