import * as z from 'zod';
import type { Clock } from '#async/clock.ts';
import { withDeadline } from '#async/deadline.ts';
import { SingleFlight } from '#async/single-flight.ts';
import { errorMessage } from '#errors/errors.ts';
import type { JsonRecords } from '#host/json-records.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import { KubernetesError } from '../client/kubernetes-error.ts';
import type { PodSecurityLevel } from '../reconcile/source.ts';

const label = 'pod-security.kubernetes.io/enforce';
const levelSchema = z.enum(['privileged', 'baseline', 'restricted']);
const namespaceSchema = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).optional() }),
});

/** A level as it is kept on disk. */
export interface LevelRecord {
  readonly namespace: string;
  readonly level: PodSecurityLevel;
}

/** What was read is believed for this long: many tasks of one namespace start together. */
const freshMs = 5000;
/** A start waits no longer than this for an API server that is away. */
const timeoutMs = 5000;
/** More namespaces than a node has tasks in. */
const maxKnown = 1000;

/** The Pod Security level of each namespace, asked when a task starts; kept on disk for times without an API server. */
export class NamespaceLevels {
  readonly #options: {
    readonly client: KubernetesClient;
    readonly records: JsonRecords<LevelRecord>;
    /** Of a namespace without the label. */
    readonly fallback: PodSecurityLevel;
    readonly clock: Clock;
    readonly log: Log;
  };
  readonly #known = new Map<string, { readonly level: PodSecurityLevel; readonly atMs: number }>();
  readonly #flights = new SingleFlight<string, PodSecurityLevel>();

  constructor(options: {
    readonly client: KubernetesClient;
    readonly records: JsonRecords<LevelRecord>;
    readonly fallback: PodSecurityLevel;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#options = options;
  }

  /** Reads what was kept on disk. */
  async load(): Promise<void> {
    for (const { namespace, level } of await this.#options.records.load()) {
      const known = levelSchema.safeParse(level);
      if (known.success) this.#known.set(namespace, { level: known.data, atMs: -Infinity });
    }
  }

  /** Never throws: what the server may not tell us is restricted, and while it is away the last answer counts. */
  async levelOf(namespace: string): Promise<PodSecurityLevel> {
    const known = this.#known.get(namespace);
    if (known && this.#options.clock.monotonicMs() - known.atMs < freshMs) return known.level;
    return await this.#flights.run(namespace, () => this.#ask(namespace));
  }

  async #ask(namespace: string): Promise<PodSecurityLevel> {
    const { client, log, fallback } = this.#options;
    try {
      using deadline = withDeadline(undefined, timeoutMs, `reading namespace ${namespace}`);
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
      const { metadata } = namespaceSchema.parse(await client.get(path, { signal: deadline.signal }));
      const value = metadata.labels?.[label];
      const level = value === undefined ? fallback : levelSchema.catch('restricted').parse(value);
      await this.#remember(namespace, level);
      return level;
    } catch (error) {
      const refused = error instanceof KubernetesError && error.code !== 'unavailable';
      const level = (refused ? undefined : this.#known.get(namespace)?.level) ?? 'restricted';
      log.warn({ kubeNamespace: namespace, level, reason: errorMessage(error) }, 'cannot read a namespace’s level');
      return level;
    }
  }

  async #remember(namespace: string, level: PodSecurityLevel): Promise<void> {
    const { records, clock, log } = this.#options;
    const before = this.#known.get(namespace)?.level;
    this.#known.delete(namespace);
    this.#known.set(namespace, { level, atMs: clock.monotonicMs() });
    if (before !== level) {
      await records.put(namespace, { namespace, level }).catch((error: unknown) => {
        log.warn({ kubeNamespace: namespace, reason: errorMessage(error) }, 'cannot keep a namespace’s level on disk');
      });
    }
    const [oldest] = this.#known.keys();
    if (this.#known.size <= maxKnown || oldest === undefined) return;
    this.#known.delete(oldest);
    await records.remove(oldest).catch(() => {});
  }
}
