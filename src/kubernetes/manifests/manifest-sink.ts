import type { Log } from '#log/log.ts';
import type { NodeTaskStatus } from '../node-task/types.ts';
import { objectKey } from '../reconcile/source.ts';
import type { NodeTaskSink, ObjectEvent, ObjectIdentity } from '../reconcile/source.ts';

const mostSaid = 10_000;

/** What becomes of the objects of a folder is said in log lines; their status is kept by the reconciler, for `runlet inspect`. */
export class ManifestSink implements NodeTaskSink {
  readonly #log: Log;
  readonly #expire: (object: ObjectIdentity) => Promise<void>;
  /** What was said last of each object: a status has more than a log line. */
  readonly #said = new Map<string, string>();

  constructor(options: { readonly log: Log; readonly expire: (object: ObjectIdentity) => Promise<void> }) {
    this.#log = options.log;
    this.#expire = options.expire;
  }

  status(object: ObjectIdentity, status: NodeTaskStatus): void {
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    const facts = { object: objectKey(object), state: status.state, ready: ready?.status, reason: ready?.reason };
    const text = JSON.stringify(facts);
    if (this.#said.get(facts.object) === text) return;
    // Names come and go; to say something twice is no harm.
    if (this.#said.size >= mostSaid) this.#said.clear();
    this.#said.set(facts.object, text);
    this.#log.info(facts, 'the state of an object');
  }

  event(object: ObjectIdentity, { type, reason, note }: ObjectEvent): void {
    const facts = { object: objectKey(object), reason, note };
    if (type === 'Warning') this.#log.warn(facts, 'an event of an object');
    else this.#log.info(facts, 'an event of an object');
  }

  claim(): Promise<void> {
    return Promise.resolve();
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  delete(object: ObjectIdentity): Promise<void> {
    return this.#expire(object);
  }
}
