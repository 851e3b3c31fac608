import { CgroupGroup } from '#cgroup/group.ts';
import type { StatsDetail } from '#cgroup/stats.ts';
import { silentLog } from '#log/log.ts';
import { toEndpoint, type EndpointSettings } from '#metrics/endpoint.ts';
import { Metrics, type TaskDescription } from '#metrics/metrics.ts';
import { MetricsServer, type MetricsServerOptions } from '#metrics/server.ts';
import { systemClock } from '#async/clock.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { OciRuntime } from '#runtime/oci-runtime.ts';
import { noIo } from '#task/io.ts';
import { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import type { TestNode } from './node.ts';
import { ref, spec } from './runtime.ts';

/** A core on a test's node with its metrics, without the rest of an agent. */
export interface MeasuredNode extends AsyncDisposable {
  readonly manager: TaskManager;
  readonly metrics: Metrics;
  /** Makes and starts a task of the node's busybox. */
  run(id: string, args: readonly string[], more?: Partial<RuntimeSpec>): Promise<Task>;
  /** Scrapes at once, without a server. */
  scrape(): Promise<Scrape>;
}

/** An exposition as a table. */
export interface Scrape {
  readonly text: string;
  /** The value of one series, such as `runlet_task_pids{namespace="default",task="a"}`; undefined when it is not there. */
  value(series: string): number | undefined;
  /** The series of one family. */
  family(name: string): readonly string[];
}

export async function measuredNode(
  node: TestNode,
  options: { readonly profile?: StatsDetail; readonly describe?: (task: Task) => TaskDescription } = {},
): Promise<MeasuredNode> {
  const { state, cgroupParent, hierarchy } = node;
  const log = silentLog();
  const runtime = new OciRuntime({
    ...{ stateDir: state, cgroupParent, cgroupDriver: 'cgroupfs', hierarchy, clock: systemClock, log },
    logRotation: { maxBytes: 1024 * 1024, maxFiles: 2 },
  });
  const manager = new TaskManager({
    ...{ runtime, clock: systemClock, log, defaultRuntime: 'runc' },
    runtimeRootOf: (namespace) => `${state}/runc/${namespace}`,
    cgroupPathOf: ({ namespace, id }) => `${cgroupParent}/${namespace}/${id}`,
  });
  const metrics = new Metrics({
    ...{ tasks: manager, log, build: { version: '0.0.0-test' } },
    profile: options.profile ?? 'standard',
    budget: new CgroupGroup(hierarchy, cgroupParent).places,
    describe: options.describe ?? (() => ({})),
  });
  await manager.recover();
  return {
    manager,
    metrics,
    run: async (id, args, more = {}) => {
      const cgroupsPath = `${cgroupParent}/default/${id}`;
      const base = spec(node, args, more);
      const task = await manager.create({
        ...{ ...ref(id), io: noIo, rootfs: [] },
        spec: { ...base, linux: { ...base.linux, cgroupsPath } },
      });
      await task.start();
      return task;
    },
    scrape: async () => parseScrape((await metrics.expose('text')).toString()),
    [Symbol.asyncDispose]: async () => {
      metrics[Symbol.dispose]();
      for (const task of manager.list()) {
        if (!task.exit) await task.kill(9, { all: true });
        await task.wait();
        await manager.delete(task.ref);
      }
      await manager.close();
    },
  };
}

/** A server for it; port 0 unless the settings say otherwise. */
export async function serve(
  { metrics }: MeasuredNode,
  settings: Partial<EndpointSettings> = {},
  more: Partial<MetricsServerOptions> = {},
): Promise<{ readonly server: MetricsServer; readonly port: number }> {
  const endpoint = toEndpoint({ address: { host: '127.0.0.1', port: 0 }, auth: 'none', ...settings });
  const server = new MetricsServer({
    ...{ endpoint, log: silentLog(), ready: () => true, expose: (format) => metrics.expose(format) },
    ...more,
  });
  const { port } = await server.listen();
  return { server, port };
}

export function parseScrape(text: string): Scrape {
  const series = new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const space = line.lastIndexOf(' ');
        return [line.slice(0, space), Number(line.slice(space + 1).replace('Inf', 'Infinity'))] as const;
      }),
  );
  return {
    text,
    value: (name) => series.get(name),
    family: (name) => [...series.keys()].filter((key) => key === name || key.startsWith(`${name}{`)),
  };
}
