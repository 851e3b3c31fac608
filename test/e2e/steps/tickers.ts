import { statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../support/node.ts';
import { limitMs, timeout, type Release } from '../../support/release.ts';
import { largestGap, missedTicks, readTicks, tickerTask } from '../../support/ticker.ts';

export const namespace = 'team';
const names = Array.from({ length: 100 }, (_, index) => `ticker-${String(index).padStart(3, '0')}`);

/** More than a loaded machine keeps a process waiting; what is lost or stopped is silent for longer, or begins at 1. */
const longestGapSeconds = 10;

/** A hundred ticking tasks: makes them and tells whether anything has happened to one. */
export class Tickers {
  readonly #release: Release;
  /** Those that have been ended or deleted on purpose. */
  readonly #over = new Set<string>();
  #pids: ReadonlyMap<string, unknown> = new Map();
  /** The last tick of each that was looked at. */
  readonly #seen = new Map<string, number>();
  /** Changed to and fro to see that an agent is at work; never what it is made with. */
  #graceSeconds = 2;

  constructor(release: Release) {
    this.#release = release;
  }

  async make(): Promise<void> {
    const { cluster, images } = this.#release;
    const { nodeName } = cluster;
    const items = names.map((name) => tickerTask({ nodeName, namespace, name, image: images.busybox }));
    await cluster.kubectl(['create', 'namespace', namespace]);
    await cluster.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const all = ['nodetask', '--all', '-n', namespace];
    await cluster.kubectl(['wait', ...all, '--for=condition=Ready', `--timeout=${timeout}`]);
    this.#pids = new Map([...(await this.statuses())].map(([name, status]) => [name, status['pid']]));
  }

  get alive(): readonly string[] {
    return names.filter((name) => !this.#over.has(name));
  }

  pidOf(name: string): number {
    return Number(this.#pids.get(name));
  }

  /** From now on nothing is expected of these. */
  forget(...gone: readonly string[]): void {
    for (const name of gone) this.#over.add(name);
  }

  async statuses(): Promise<ReadonlyMap<string, Readonly<Record<string, unknown>>>> {
    const { items = [] } = await this.#release.cluster.get('nodetasks', '-n', namespace);
    return new Map(items.map(({ metadata, status }) => [metadata.name, status ?? {}]));
  }

  /** What has happened to tasks that should be as they were, when an agent has answered to a change. Empty when nothing. */
  async changes(): Promise<string[]> {
    await this.#ask();
    const statuses = await this.statuses();
    return this.alive.flatMap((name) => {
      const { state, pid, restartCount } = statuses.get(name) ?? {};
      const same = state === 'Running' && pid === this.#pids.get(name) && restartCount === 0;
      return same ? [] : [`${name}: ${String(state)}, pid ${String(pid)}, ${String(restartCount)} restarts`];
    });
  }

  /**
   * Waits for a second of ticks of each, then says which are missing since it was made, and which came late since this was
   * asked last. Prints the longest gap.
   */
  async missed(what: string): Promise<string[]> {
    const before = this.alive.map((name) => ({ name, bytes: this.#logged(name) }));
    for (const { name, bytes } of before) {
      await eventually(
        () => this.#logged(name) - bytes,
        (more) => more > aSecond,
        `${name} goes on`,
        limitMs,
      );
    }
    const gaps: number[] = [];
    const wrong = this.alive.flatMap((name) => {
      const ticks = readTicks(this.#release.cluster, namespace, name);
      const gap = largestGap(ticks, this.#seen.get(name) ?? 1);
      gaps.push(gap);
      this.#seen.set(name, ticks.at(-1)?.number ?? 1);
      const late = gap > longestGapSeconds ? [`a tick came ${gap.toFixed(1)} s late`] : [];
      return [...missedTicks(ticks), ...late].map((text) => `${name}: ${text}`);
    });
    const sorted = gaps.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    print(
      `${what}: ${gaps.length} tasks, longest gap ${(sorted.at(-1) ?? 0).toFixed(2)} s, median ${median.toFixed(2)} s`,
    );
    return wrong;
  }

  async #ask(): Promise<void> {
    const [name = ''] = this.alive;
    this.#graceSeconds = 5 - this.#graceSeconds;
    const spec = JSON.stringify({ spec: { terminationGracePeriodSeconds: this.#graceSeconds } });
    const one = ['-n', namespace, `nodetask/${name}`];
    await this.#release.cluster.kubectl(['patch', ...one, '--type=merge', '-p', spec]);
    await this.#release.cluster.kubectl(['wait', ...one, '--for=condition=Ready', `--timeout=${timeout}`]);
  }

  /** Bytes of its log. */
  #logged(name: string): number {
    return statSync(join(this.#release.cluster.own('/var/log/runlet'), `k8s.${namespace}`, name, '0.log')).size;
  }
}

/** Ten lines of a log. */
const aSecond = 10 * 'YYYY-MM-DDTHH:MM:SS.000000000+00:00 stdout F tick 1 1.00\n'.length;

/** A figure for whoever reads the test's output. */
export function print(text: string): void {
  process.stderr.write(`e2e: ${text}\n`);
}
