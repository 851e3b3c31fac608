import { join } from 'node:path';
import { TaskGroup } from '#async/task-group.ts';
import { UnavailableError, errorMessage } from '#errors/errors.ts';
import { removeTree } from '#host/files.ts';
import type { Log } from '#log/log.ts';
import type { Records } from '#task/records.ts';
import type { ClientMetrics } from '../client/client-metrics.ts';
import type { KubernetesClient } from '../client/client.ts';
import type { EventRecorder } from '../cluster/event-recorder.ts';
import { ObjectWriter } from '../cluster/object-writer.ts';
import { nodeTasks } from '../cluster/resource.ts';
import { StatusWriter } from '../cluster/status-writer.ts';
import type { NodeTask } from '../node-task/types.ts';
import type { SavedTask } from '../reconcile/context.ts';
import { Controller, type Worked } from '../reconcile/controller.ts';
import { objectKey, type NodeTaskSource } from '../reconcile/source.ts';
import { WorkQueue } from '../reconcile/work-queue.ts';
import { act, type ActContext } from './act.ts';
import { checkpointPath } from './checkpoint-folder.ts';
import { CheckpointKeeper } from './checkpoint-keeper.ts';
import { Journal } from './journal.ts';
import { planOneShot, type OneShotPlan, type Target } from './plan.ts';
import { failed, type OneShotRecord } from './record.ts';
import type { Asked, OneShotRequest } from './request.ts';
import { oneShotResources, parseRequestKey, requestKey, RequestSource } from './request-source.ts';
import { savedTask } from './restore.ts';
import type { RetentionLimits } from './retention.ts';
import { endLeftExec, ObjectGoneError } from './run-exec.ts';
import { oneShotKinds, type OneShotKind } from './schema.ts';
import { oneShotStatus } from './status.ts';
import { findTarget, taskOf } from './target.ts';

export interface OneShotOptions extends ActContext {
  readonly client: KubernetesClient;
  readonly source: NodeTaskSource;
  readonly events: EventRecorder;
  readonly nodeName: string;
  /** The journal, under `--root`. */
  readonly records: Records<OneShotRecord>;
  /** `imageID` of a NodeTask's status. */
  readonly imageIdOf: (namespace: string, taskName: string) => string | undefined;
  /** How many checkpoints the node keeps. */
  readonly retention: RetentionLimits;
  readonly log: Log;
  readonly metrics?: ClientMetrics;
}

/** Requests that are looked at at once; what they ask for runs beside. */
const workers = 4;
/** Acts that are under way at once; further ones wait. */
const maxRunning = 32;

/** Does what the NodeTaskExecs, NodeTaskSignals and NodeTaskCheckpoints of this node ask for, each at most once, and tells. */
export class OneShots implements AsyncDisposable {
  readonly #options: OneShotOptions;
  readonly #journal: Journal;
  readonly #source: RequestSource;
  readonly #keeper: CheckpointKeeper;
  readonly #queue: WorkQueue;
  readonly #controller: Controller;
  readonly #writers: Readonly<Record<OneShotKind, { readonly statuses: StatusWriter; readonly objects: ObjectWriter }>>;
  readonly #subscriptions = new DisposableStack();
  readonly #stop = new AbortController();
  readonly #background: TaskGroup;
  /** UID → what gives up the act that is under way. */
  readonly #running = new Map<string, AbortController>();
  /** UID → when it was seen first. */
  readonly #seen = new Map<string, number>();
  /** Keys that wait for something to change on the node. */
  readonly #waiting = new Set<string>();

  constructor(options: OneShotOptions) {
    this.#options = options;
    const { clock, log, client, nodeName, metrics } = options;
    this.#journal = new Journal(options.records, clock);
    this.#queue = new WorkQueue({ clock });
    this.#keeper = new CheckpointKeeper({
      ...{ journal: this.#journal, clock, log },
      ...{ tasks: options.tasks, root: options.root, limits: options.retention },
      onEvicted: (record) => this.#queue.add(requestKey(record.kind, objectKey(record))),
    });
    this.#background = new TaskGroup((error) => log.error({ err: error }, 'a request of a node’s task failed'));
    this.#source = new RequestSource({
      ...{ client, nodeName, clock, log },
      ...(metrics ? { metrics } : {}),
      onChange: (key) => this.#queue.add(key),
      onSynced: (kind) => this.#lookAtFormer(kind),
    });
    const writersOf = (kind: OneShotKind) => {
      const known = (object: { readonly namespace: string; readonly name: string }) => this.#source.raw(kind, object);
      const parts = { client, resource: oneShotResources[kind], clock, log, known };
      return { statuses: new StatusWriter(parts), objects: new ObjectWriter(parts) };
    };
    this.#writers = {
      NodeTaskExec: writersOf('NodeTaskExec'),
      NodeTaskSignal: writersOf('NodeTaskSignal'),
      NodeTaskCheckpoint: writersOf('NodeTaskCheckpoint'),
    };
    this.#controller = new Controller({ queue: this.#queue, log, workers, work: (key) => this.#work(key) });
  }

  /** Reads the journal and begins to follow the cluster. Once, after the tasks of the node have been recovered. */
  async start(): Promise<void> {
    const { source, tasks } = this.#options;
    await this.#journal.load();
    await this.#keeper.recover();
    this.#subscriptions.use(source.subscribe(() => this.#lookAtWaiting()));
    this.#subscriptions.use(tasks.events.subscribe(() => this.#lookAtWaiting()));
    this.#source.run(this.#stop.signal, this.#background);
    this.#controller.start();
    this.#background.spawn(() => this.#keeper.look());
  }

  /**
   * The checkpoint that an object is to be restored from, compared with what it would be. Throws UnavailableError while it is
   * not ready, TerminalError (`RestoreRefused`).
   */
  async checkpointOf(task: NodeTask, imageDigest: string | undefined): Promise<SavedTask> {
    const { namespace } = task.metadata;
    const name = task.spec.restoreFrom?.checkpointName ?? '';
    const request = this.#source.get('NodeTaskCheckpoint', { namespace, name });
    const uid = request?.uid ?? '';
    const outcome = this.#journal.get(uid)?.outcome;
    using lent = new DisposableStack();
    lent.use(this.#keeper.lend(uid));
    const evicted = this.#keeper.evicted(uid);
    const saved = await savedTask({ root: this.#options.root, name, request, outcome, evicted }, task, imageDigest);
    const kept = lent.move();
    return { ...saved, release: () => kept.dispose() };
  }

  /** Lets checkpoints that are under way come to their end; execs run on, and the next agent ends them. */
  async [Symbol.asyncDispose](): Promise<void> {
    const leaving = new UnavailableError('the agent is stopping');
    this.#subscriptions.dispose();
    this.#keeper[Symbol.dispose]();
    this.#stop.abort(leaving);
    for (const running of this.#running.values()) running.abort(leaving);
    await this.#controller[Symbol.asyncDispose]();
    await this.#background[Symbol.asyncDispose]();
    const statuses = oneShotKinds.map((kind) => this.#writers[kind].statuses);
    await Promise.all(statuses.map((one) => one[Symbol.asyncDispose]()));
  }

  async #work(key: string): Promise<Worked> {
    const { kind, namespace, name } = parseRequestKey(key);
    const request = this.#source.get(kind, { namespace, name });
    await this.#forgetFormer(kind, { namespace, name }, request?.uid);
    this.#waiting.delete(key);
    if (!request) {
      if (this.#source.synced(kind)) this.#writers[kind].statuses.forget(objectKey({ namespace, name }));
      return {};
    }
    if (this.#running.has(request.uid)) {
      if (request.deleting && kind === 'NodeTaskExec') this.#giveUp(request);
      return {};
    }
    const { clock } = this.#options;
    const seenAtMs = this.#seen.get(request.uid) ?? clock.nowMs();
    this.#seen.set(request.uid, seenAtMs);
    const record = this.#journal.get(request.uid);
    const target = await this.#targetOf(request, record);
    const plan = planOneShot({ request, target, nowMs: clock.nowMs(), seenAtMs, ...(record ? { record } : {}) });
    return await this.#apply(key, request, plan);
  }

  async #targetOf({ asked, deleting, namespace }: OneShotRequest, record: OneShotRecord | undefined): Promise<Target> {
    if (!asked || deleting || record) return { known: 'not yet' };
    return await findTarget(this.#options, namespace, asked.spec.taskName);
  }

  async #apply(key: string, request: OneShotRequest, plan: OneShotPlan): Promise<Worked> {
    switch (plan.do) {
      case 'release':
        await this.#release(request);
        return {};
      case 'wait':
        this.#waiting.add(key);
        this.#tell(request, plan);
        return plan.againAfterMs === undefined ? {} : { againAfterMs: plan.againAfterMs };
      case 'begin':
        await this.#begin(key, request, plan);
        return {};
      case 'conclude':
        await this.#endLeft(request);
        await this.#journal.conclude(request, plan.outcome);
        this.#queue.add(key);
        return {};
      case 'tell':
        if (this.#journal.get(request.uid)) this.#tell(request);
        return plan.againAfterMs === undefined ? {} : { againAfterMs: plan.againAfterMs };
      case 'expire':
        await this.#writers[request.kind].objects.delete(request);
        return {};
    }
  }

  async #begin(
    key: string,
    request: OneShotRequest,
    { asked, taskUID }: { readonly asked: Asked; readonly taskUID: string },
  ): Promise<void> {
    if (this.#running.size >= maxRunning) {
      this.#waiting.add(key);
      this.#tell(request, { reason: 'Pending', message: `${maxRunning} requests are under way on this node` });
      return;
    }
    const abort = new AbortController();
    this.#running.set(request.uid, abort);
    try {
      if (request.kind === 'NodeTaskCheckpoint') await this.#writers[request.kind].objects.claim(request);
    } catch (error) {
      this.#running.delete(request.uid);
      throw error;
    }
    this.#background.spawn(() => this.#run(key, request, { asked, taskUID, signal: abort.signal }));
  }

  async #run(
    key: string,
    request: OneShotRequest,
    { asked, taskUID, signal }: { readonly asked: Asked; readonly taskUID: string; readonly signal: AbortSignal },
  ): Promise<void> {
    const { log, imageIdOf } = this.#options;
    const imageID = imageIdOf(request.namespace, asked.spec.taskName);
    try {
      await this.#journal.once(request, taskUID, async () => {
        if (asked.kind !== 'NodeTaskSignal') this.#tell(request);
        this.#own(request, asked.spec.taskName, taskUID);
        const what = { request, asked, taskUID, signal, ...(imageID === undefined ? {} : { imageID }) };
        return await act(this.#options, what).catch((error: unknown) => {
          log.warn({ request: key, err: error }, 'a request of a node’s task failed');
          return failed('Error', errorMessage(error));
        });
      });
      this.#event(request, asked, taskUID);
      if (asked.kind === 'NodeTaskCheckpoint') await this.#keeper.look();
    } finally {
      this.#running.delete(request.uid);
      this.#queue.add(key);
      this.#lookAtWaiting();
    }
  }

  #tell(request: OneShotRequest, waiting?: { readonly reason: string; readonly message: string }): void {
    const record = this.#journal.get(request.uid);
    const status = oneShotStatus(request, record, waiting);
    this.#writers[request.kind].statuses.write(request, status, { urgent: record !== undefined });
  }

  /** What a person wants to find at the NodeTask itself. */
  #event({ kind, uid, namespace, name }: OneShotRequest, { spec }: Asked, taskUID: string): void {
    const outcome = this.#journal.get(uid)?.outcome;
    if (kind !== 'NodeTaskCheckpoint' || !outcome) return;
    const right = outcome.state === 'Succeeded';
    this.#options.events.record(
      nodeTasks,
      { namespace, name: spec.taskName, uid: taskUID },
      {
        type: right ? 'Normal' : 'Warning',
        reason: right ? 'Checkpointed' : 'CheckpointFailed',
        note: `NodeTaskCheckpoint ${name}: ${outcome.message}`,
      },
    );
  }

  #own(request: OneShotRequest, name: string, uid: string): void {
    this.#background.spawn(async () => {
      await this.#writers[request.kind].objects.own(request, { name, uid }).catch((error: unknown) => {
        this.#options.log.debug({ request: request.name, reason: errorMessage(error) }, 'cannot name an owner');
      });
    });
  }

  /** What a former agent began and did not end. */
  async #endLeft({ kind, uid, asked, namespace }: OneShotRequest): Promise<void> {
    const record = this.#journal.get(uid);
    if (record?.begunAtMs === undefined || record.taskUID === undefined || !asked) return;
    const { tasks, clock } = this.#options;
    const task = taskOf(tasks, { namespace, name: asked.spec.taskName, uid: record.taskUID });
    if (kind === 'NodeTaskExec' && task) await endLeftExec(task, uid, clock);
    if (kind === 'NodeTaskCheckpoint') await this.#removeData(record);
  }

  async #release(request: OneShotRequest): Promise<void> {
    if (request.kind === 'NodeTaskCheckpoint') await this.#removeData(request);
    if (request.claimed) await this.#writers[request.kind].objects.release(request);
  }

  /** Objects of this name that are gone: nobody asks for them any more. */
  async #forgetFormer(
    kind: OneShotKind,
    named: { readonly namespace: string; readonly name: string },
    uid: string | undefined,
  ): Promise<void> {
    if (!this.#source.synced(kind)) return;
    for (const former of this.#journal.named(named, kind)) {
      if (former.uid === uid) continue;
      if (this.#giveUp(former)) continue; // its end brings us here again
      if (kind === 'NodeTaskCheckpoint') await this.#removeData(former);
      await this.#journal.forget(former.uid);
      this.#seen.delete(former.uid);
    }
  }

  #giveUp({ uid, name }: { readonly uid: string; readonly name: string }): boolean {
    const running = this.#running.get(uid);
    running?.abort(new ObjectGoneError(name));
    return running !== undefined;
  }

  async #removeData(checkpoint: { readonly namespace: string; readonly uid: string }): Promise<void> {
    await removeTree(join(this.#options.root, checkpointPath(checkpoint)));
  }

  #lookAtWaiting(): void {
    for (const key of this.#waiting) this.#queue.add(key);
  }

  /** What is in the journal and not in the first list went while no agent ran. */
  #lookAtFormer(kind: OneShotKind): void {
    for (const record of this.#journal.all()) {
      if (record.kind === kind) this.#queue.add(requestKey(kind, objectKey(record)));
    }
  }
}
