import type { Clock } from '#async/clock.ts';
import { TaskGroup } from '#async/task-group.ts';
import { errorCode, errorMessage } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import { apiVersion } from '../node-task/fields.ts';
import type { ObjectEvent, ObjectIdentity } from '../reconcile/source.ts';
import { EventLimiter } from './event-limiter.ts';
import type { Resource } from './resource.ts';

export interface EventRecorderOptions {
  readonly client: KubernetesClient;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
}

const group = '/apis/events.k8s.io/v1';
/** Who says it; a domain name with a path, as Kubernetes asks. */
const reportingController = 'runlet.dev/agent';
const maxNoteLength = 1024;
const maxInstanceLength = 128;
/** Equal events this close together are one with a count; client-go's value. */
const seriesMs = 6 * 60_000;
/** A count is written at most this often. */
const seriesIntervalMs = 60_000;
/** Events that wait while the API server is away; the oldest go first. */
const maxWaiting = 200;
/** Series that are remembered. */
const maxSeries = 1000;
const retryMs = 5000;
/** What is told goes behind what is done: the status that somebody waits for is written first. */
const politeMs = 500;

interface Series {
  readonly path: string;
  name: string | undefined;
  count: number;
  lastMs: number;
  writtenMs: number;
}

interface Waiting {
  readonly resource: Resource;
  readonly object: ObjectIdentity;
  readonly event: ObjectEvent;
  readonly series: Series;
  readonly atMs: number;
}

/** Tells people what happens to objects, by `events.k8s.io/v1`: equal ones as a series, and never more than anybody reads. */
export class EventRecorder implements AsyncDisposable {
  readonly #options: EventRecorderOptions;
  readonly #limiter: EventLimiter;
  readonly #series = new Map<string, Series>();
  readonly #waiting: Waiting[] = [];
  readonly #abort = new AbortController();
  readonly #sending: TaskGroup;
  #busy = false;
  #serial = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#limiter = new EventLimiter(options.clock);
    this.#sending = new TaskGroup((error) => options.log.error({ err: error }, 'cannot tell of events'));
  }

  /** Returns at once and never throws. */
  record(resource: Resource, object: ObjectIdentity, event: ObjectEvent): void {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    const note = plainText(event.note).slice(0, maxNoteLength);
    const key = JSON.stringify([resource.kind, object.uid, event.type, event.reason, note]);
    const there = this.#series.get(key);
    if (there && nowMs - there.lastMs < seriesMs) {
      there.count += 1;
      there.lastMs = nowMs;
      if (nowMs - there.writtenMs < seriesIntervalMs) return;
      there.writtenMs = nowMs;
      this.#send({ resource, object, event: { ...event, note }, series: there, atMs: nowMs });
      return;
    }
    if (!this.#limiter.allows(object.uid)) return;
    const path = `${group}/namespaces/${encodeURIComponent(object.namespace)}/events`;
    const series: Series = { path, name: undefined, count: 1, lastMs: nowMs, writtenMs: nowMs };
    this.#series.delete(key);
    this.#series.set(key, series);
    const [oldest] = this.#series.keys();
    if (this.#series.size > maxSeries && oldest !== undefined) this.#series.delete(oldest);
    this.#send({ resource, object, event: { ...event, note }, series, atMs: nowMs });
  }

  /** Gives up what has not been sent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiting.length = 0;
    this.#abort.abort(new Error('the agent is stopping'));
    await this.#sending[Symbol.asyncDispose]();
  }

  #send(waiting: Waiting): void {
    if (this.#abort.signal.aborted) return;
    this.#waiting.push(waiting);
    if (this.#waiting.length > maxWaiting) this.#waiting.shift();
    if (this.#busy) return;
    this.#busy = true;
    this.#sending.spawn(() => this.#sendLater().finally(() => (this.#busy = false)));
  }

  async #sendLater(): Promise<void> {
    const { signal } = this.#abort;
    await this.#options.clock.sleep(politeMs, signal).catch(() => {});
    if (!signal.aborted) await this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#abort;
    for (let next = this.#waiting.shift(); next && !signal.aborted; next = this.#waiting.shift()) {
      try {
        await this.#sendOne(next);
      } catch (error) {
        if (signal.aborted) return;
        if (errorCode(error) !== 'unavailable') {
          log.debug({ reason: errorMessage(error), event: next.event.reason }, 'an event was refused');
          continue;
        }
        this.#waiting.unshift(next);
        await clock.sleep(retryMs, signal).catch(() => {});
      }
    }
  }

  async #sendOne({ resource, object, event, series, atMs }: Waiting): Promise<void> {
    const { client, nodeName } = this.#options;
    const { signal } = this.#abort;
    if (series.name !== undefined) {
      const change = { series: { count: series.count, lastObservedTime: microTime(series.lastMs) } };
      await client.mergePatch(`${series.path}/${series.name}`, change, { signal });
      return;
    }
    this.#serial += 1;
    const name = `${object.name}.${atMs.toString(16)}${this.#serial.toString(16).padStart(4, '0')}`;
    const { namespace, uid } = object;
    await client.create(
      series.path,
      {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name, namespace },
        eventTime: microTime(atMs),
        reportingController,
        reportingInstance: nodeName.slice(0, maxInstanceLength),
        action: event.reason,
        reason: event.reason,
        type: event.type,
        note: event.note,
        regarding: { apiVersion, kind: resource.kind, namespace, name: object.name, uid },
      },
      { signal },
    );
    series.name = name;
  }
}

/** Kubernetes' MicroTime. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

/** Without characters that move a terminal's cursor or turn its text around. */
function plainText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ');
}
