import { backoffMs, type BackoffPolicy } from '#async/backoff.ts';
import type { Clock } from '#async/clock.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from './client.ts';
import { noClientMetrics, type ClientMetrics, type WatchEnd } from './client-metrics.ts';
import { readJsonLines } from './json-lines.ts';
import { isAhead, isExpired, KubernetesError } from './kubernetes-error.ts';
import { listAll, type Listing, type Selection } from './list.ts';
import type { KubeObject } from './object.ts';
import { readWatchEvent } from './watch-event.ts';
import { Watchdog } from './watchdog.ts';

/** Who is told what a collection holds. Objects of others may be among them where the server cannot select. */
export interface Listener {
  /** Everything that is there now; what is not among it is gone. */
  replaced(objects: readonly KubeObject[]): void;
  changed(object: KubeObject): void;
  deleted(object: KubeObject): void;
}

/** Why an API server cannot be followed. */
export interface ListWatchTrouble {
  /** HTTP's status code; undefined where there was no answer. */
  readonly status: number | undefined;
}

export interface ListWatchOptions {
  readonly client: KubernetesClient;
  /** For log and metrics, such as `nodetasks`. */
  readonly name: string;
  readonly selection: Selection;
  readonly listener: Listener;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: ClientMetrics;
}

/** Waits after failures; client-go's values. */
const retryPolicy: BackoffPolicy = { firstMs: 800, factor: 2, capMs: 30_000, jitter: 0.5 };
/** A watch that lived as long as this was a good one: the next failure is the first again. */
const goodWatchMs = 30_000;
/** Servers send a bookmark each minute. */
const silenceMs = 150_000;
/** How long the server is asked to let a watch live; random, so that agents do not come back together. */
const watchSeconds = { least: 300, most: 600 };

/**
 * Keeps a listener told of a collection, through every fault of server and network: lists once, then watches, and goes on
 * from where a watch ended. Only when the server has forgotten that point does it list again.
 */
export class ListWatch {
  readonly #options: ListWatchOptions;
  readonly #metrics: ClientMetrics;
  #resourceVersion: string | undefined;
  #selected = false;
  #mustList = true;
  #failures = 0;
  #connected = false;
  #trouble: ListWatchTrouble | undefined;

  constructor(options: ListWatchOptions) {
    this.#options = options;
    this.#metrics = options.metrics ?? noClientMetrics;
  }

  /** Whether the last thing that came was no failure. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Why the API server could not be followed last; undefined while it can, and before the first try. */
  get trouble(): ListWatchTrouble | undefined {
    return this.#trouble;
  }

  /** Whether the server gives only what was asked for; undefined before it was listed. */
  get selected(): boolean | undefined {
    return this.#resourceVersion === undefined ? undefined : this.#selected;
  }

  /** Runs until the signal aborts; returns then. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#mustList) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error, signal).catch(() => {});
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, selection, listener, name } = this.#options;
    const listing: Listing = await listAll(client, selection, { notOlderThan: this.#resourceVersion, signal });
    this.#resourceVersion = listing.resourceVersion;
    this.#selected = listing.selected;
    this.#mustList = false;
    this.#metrics.listed(name);
    this.#reached();
    listener.replaced(listing.objects);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, name, log } = this.#options;
    const beganMs = clock.monotonicMs();
    using watchdog = new Watchdog({ clock, limitMs: silenceMs, parent: signal });
    const end = await this.#listen(watchdog).then(
      () => ({ why: 'timeout' as const, error: undefined }),
      (error: unknown) => ({ why: endOf(error, watchdog), error }),
    );
    if (signal.aborted) return;
    this.#metrics.watchEnded(name, end.why);
    const lived = clock.monotonicMs() - beganMs;
    if (lived >= goodWatchMs) this.#failures = 0;
    if (end.why === 'expired') {
      log.info({ resource: name }, 'the API server has forgotten where a watch was; listing again');
      this.#mustList = true;
    } else if (end.why !== 'timeout') throw end.error;
    // A server that ends watches at once would be asked without end.
    if (lived < goodWatchMs) await this.#pause(signal, undefined);
  }

  async #listen(watchdog: Watchdog): Promise<void> {
    const { client, selection, name, clock } = this.#options;
    const { least, most } = watchSeconds;
    const stream = await client.watch(selection.path, {
      signal: watchdog.signal,
      query: {
        watch: 1,
        allowWatchBookmarks: true,
        timeoutSeconds: least + Math.floor(clock.random() * (most - least + 1)),
        resourceVersion: this.#resourceVersion,
        fieldSelector: this.#selected ? selection.fieldSelector : undefined,
      },
    });
    this.#metrics.watchStarted(name);
    this.#reached();
    for await (const line of readJsonLines(fed(stream, watchdog))) this.#take(line);
  }

  #take(line: unknown): void {
    const { listener, name, selection } = this.#options;
    const event = readWatchEvent(line, `watch ${selection.path}`);
    this.#metrics.watchEvent(name, event.type);
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        listener.changed(event.object);
        break;
      case 'DELETED':
        listener.deleted(event.object);
        break;
      case 'BOOKMARK':
        break;
      default:
        event satisfies never;
    }
    this.#resourceVersion = event.resourceVersion;
  }

  #reached(): void {
    if (!this.#connected && this.#failures > 0) {
      this.#options.log.info({ resource: this.#options.name }, 'the API server answers again');
    }
    this.#connected = true;
    this.#trouble = undefined;
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    const { log, name } = this.#options;
    const wasConnected = this.#connected;
    this.#connected = false;
    this.#trouble = { status: error instanceof KubernetesError ? error.status : undefined };
    // A refused version, whatever the server calls it, is no ground to go on from.
    if (isAhead(error)) this.#resourceVersion = undefined;
    if (isAhead(error) || (error instanceof KubernetesError && error.status === 400)) this.#mustList = true;
    const facts = { resource: name, err: error, failures: this.#failures + 1 };
    // An outage is worth one warning, not one a try.
    if (wasConnected || this.#failures === 0) log.warn(facts, 'lost the API server; trying again');
    else log.debug(facts, 'the API server is still away');
    await this.#pause(signal, error instanceof KubernetesError ? error.retryAfterMs : undefined);
  }

  async #pause(signal: AbortSignal, atLeastMs: number | undefined): Promise<void> {
    const { clock } = this.#options;
    this.#failures += 1;
    const ms = backoffMs(retryPolicy, this.#failures, () => clock.random());
    await clock.sleep(Math.max(ms, Math.min(atLeastMs ?? 0, retryPolicy.capMs * 4)), signal);
  }
}

async function* fed(stream: AsyncIterable<Uint8Array>, watchdog: Watchdog): AsyncIterable<Uint8Array> {
  for await (const piece of stream) {
    watchdog.feed();
    yield piece;
  }
}

function endOf(error: unknown, watchdog: Watchdog): WatchEnd {
  if (isExpired(error)) return 'expired';
  if (watchdog.bitten) return 'silence';
  return error instanceof KubernetesError ? 'refused' : 'cut';
}
