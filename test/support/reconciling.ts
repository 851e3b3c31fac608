import { silentLog } from '#log/log.ts';
import { Reconciler, type ReconcilerOptions } from '#kubernetes/reconcile/reconciler.ts';
import type { ObjectRecord } from '#kubernetes/reconcile/record.ts';
import type { MachineLimits } from '#oci/machine.ts';
import type { Records } from '#task/records.ts';
import { toTaskRef } from '#kubernetes/reconcile/names.ts';
import type { Task } from '#task/task.ts';
import { FakeMaking } from './fake-making.ts';
import { FakeSource } from './fake-source.ts';
import { recoveredNode, type FakeNode } from './tasks.ts';

/** Records in memory: they outlive an agent, and writing takes a turn of the event loop. */
export class MemoryRecords<T> implements Records<T> {
  readonly values = new Map<string, T>();

  load(): Promise<readonly T[]> {
    return Promise.resolve([...this.values.values()]);
  }

  async put(key: string, value: T): Promise<void> {
    await Promise.resolve();
    this.values.set(key, structuredClone(value));
  }

  async remove(key: string): Promise<void> {
    await Promise.resolve();
    this.values.delete(key);
  }
}

/** What a kernel with every controller of cgroup v2 can do. */
export const wholeMachine: MachineLimits = {
  architecture: 'amd64',
  capabilities: [],
  seccomp: true,
  oomScoreAdj: 0,
  hardLimits: {},
  cgroup: {
    ...{ version: 2, swap: true, ioWeightFile: 'io.weight', hugePageSizes: [], cpus: '0-1', mems: '0' },
    controllers: ['cpu', 'cpuset', 'io', 'memory', 'pids'],
  },
};

/** An agent's reconciler over a fake runtime, on a node whose clock the test turns. */
export class Reconciling implements AsyncDisposable {
  readonly node: FakeNode;
  readonly source: FakeSource;
  readonly making: FakeMaking;
  readonly records: MemoryRecords<ObjectRecord>;
  readonly reconciler: Reconciler;
  readonly bootId: string;
  /** `uid attempt` of every start of a process, those under former agents too. */
  readonly starts: string[];

  private constructor(node: FakeNode, before: Reconciling | undefined, options: Partial<ReconcilerOptions>) {
    this.node = node;
    this.source = before?.source ?? new FakeSource();
    this.records = before?.records ?? new MemoryRecords();
    this.making = new FakeMaking(node.manager);
    this.bootId = options.bootId ?? before?.bootId ?? 'boot-1';
    this.starts = before?.starts ?? [];
    node.manager.events.subscribe((event) => {
      if (event.topic !== '/tasks/start') return;
      const owner = node.manager.find({ namespace: event.namespace, id: event.containerId })?.record.owner;
      this.starts.push(`${owner?.['uid']} ${owner?.['attempt']}`);
    });
    this.reconciler = new Reconciler({
      ...{ source: this.source, sink: this.source, making: this.making, images: this.making },
      ...{ tasks: node.manager, clock: node.clock, log: silentLog(), records: this.records },
      machine: () => wholeMachine,
      ...{ nodeName: 'node-a', bootId: this.bootId, defaultPidsLimit: 100, trust: 'cluster', workers: 2, makings: 2 },
      ...options,
    });
  }

  /** A node of its own, or the next agent on the one of another. */
  static async start(before?: Reconciling, options: Partial<ReconcilerOptions> = {}): Promise<Reconciling> {
    const node = await recoveredNode(before?.node);
    const made = new Reconciling(node, before, options);
    await made.reconciler.start();
    await made.settle();
    return made;
  }

  /** Lets everything happen that is due without a timer. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 400; turn += 1) await Promise.resolve();
  }

  /** Turns the clock in steps: what a timer wakes has its turn before the next. */
  async pass(seconds: number): Promise<void> {
    const stepMs = 500;
    for (let left = seconds * 1000; left > 0; left -= stepMs) {
      this.node.clock.advance(Math.min(stepMs, left));
      await this.settle();
    }
  }

  /** The agent is gone from one moment to the next; the node stays. */
  async crash(): Promise<void> {
    await this.node.manager.close();
    await this.reconciler[Symbol.asyncDispose]();
  }

  task(name: string, namespace = 'default'): Task | undefined {
    return this.node.manager.find(toTaskRef({ namespace, name }));
  }

  /** `state ready/reason` of an object, as it was said last. */
  said(name: string): string | undefined {
    return this.source.said.findLast((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reconciler[Symbol.asyncDispose]();
    await this.node.manager.close();
  }
}
