import { setTimeout as delay } from 'node:timers/promises';
import type { Answer, ApiServer } from '../support/api-server.ts';
import type { Change, Limits, Step, Wish } from './plan.ts';
import { programArgs, programSpec } from './task-program.ts';

export const namespace = 'soak';
const collection = `/apis/runlet.dev/v1alpha1/namespaces/${namespace}/nodetasks`;
/** Says which of our own tries made an object whose creation was not answered. */
const serialAnnotation = 'soak.example/serial';
const askAgainMs = 300;

/** Whatever has been made of one object, by which its starts are judged when it may be long gone. */
export interface Story {
  readonly name: string;
  readonly uid: string;
  readonly restartPolicy: Wish['restartPolicy'];
  /** Changes that let a run begin again, whatever the last one came to. */
  begins: number;
  /** How often somebody else has killed its process or its monitor: that is an end too, with an exit status that is a failure. */
  kills: number;
}

/** A NodeTask as the soak reads it. */
export interface SoakObject {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly generation: number;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly runState: Wish['runState'];
    readonly args: readonly string[];
    readonly resources?: { readonly limits?: Limits };
    readonly ttlSecondsAfterFinished?: number;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly state?: string;
    readonly pid?: number;
    readonly restartCount?: number;
    readonly resources?: { readonly limits?: Readonly<Record<string, string>> };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly observedGeneration?: number;
      readonly lastTransitionTime: string;
    }[];
  };
}

/** The soak's side of one object that is there as far as it knows. */
interface Known {
  readonly story: Story;
  runState: Wish['runState'];
  obeys: boolean;
}

/** The node of the tasks. */
export interface Place {
  readonly nodeName: string;
  readonly rootfs: readonly string[];
  readonly shared: string;
  /** Kills the processes of a task, or its monitor. Whether there was somebody to kill. */
  kill(name: string, what: 'processes' | 'monitor'): boolean;
}

/** Makes, changes and deletes NodeTasks on a server that comes and goes: each change is asked for until there is an answer. */
export class SoakObjects {
  readonly #server: ApiServer;
  readonly #place: Place;
  readonly #known = new Map<string, Known>();
  readonly #stories = new Map<string, Story>();
  readonly #signal: AbortSignal;
  #serial = 0;
  /** Changes that the server has taken, by kind. */
  readonly done = new Map<string, number>();

  constructor(options: {
    readonly server: ApiServer;
    readonly place: Place;
    /** Gives up. */
    readonly signal: AbortSignal;
  }) {
    this.#server = options.server;
    this.#place = options.place;
    this.#signal = options.signal;
  }

  /** By UID, also of objects that are gone. */
  get stories(): ReadonlyMap<string, Story> {
    return this.#stories;
  }

  async makeNamespace(): Promise<void> {
    const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' };
    await this.#ask('POST', '/api/v1/namespaces', { metadata: { name: namespace, labels } });
  }

  /** Does all steps in their time, those of one name one after the other. Returns when all are done. */
  async follow(steps: readonly Step[], beganMs: number): Promise<void> {
    const failed = Promise.withResolvers<never>();
    const chains = new Map<string, Promise<void>>();
    for (const { atMs, name, change } of steps) {
      const due = delay(Math.max(0, beganMs + atMs - performance.now()), undefined, { signal: this.#signal });
      await Promise.race([due, failed.promise]);
      const before = chains.get(name) ?? Promise.resolve();
      chains.set(name, before.then(() => this.#apply(name, change)).catch(failed.reject));
    }
    await Promise.race([Promise.all(chains.values()), failed.promise]);
  }

  async list(): Promise<readonly SoakObject[]> {
    const { body } = await this.#ask('GET', collection);
    return body['items'] as readonly SoakObject[];
  }

  /** Asks for the end of every object. */
  async deleteAll(): Promise<void> {
    await this.#ask('DELETE', collection);
  }

  async #apply(name: string, change: Change): Promise<void> {
    const known = this.#known.get(name);
    if (!known) await this.#create(name, change.wish);
    else if (!(await this.#change(name, known, change))) this.#known.delete(name);
  }

  /** False when the object is gone since. */
  async #change(name: string, known: Known, change: Change): Promise<boolean> {
    switch (change.kind) {
      case 'runState': {
        if (known.runState === 'Stopped' && change.runState !== 'Stopped') known.story.begins += 1;
        known.runState = change.runState;
        return await this.#patch(name, change, { spec: { runState: change.runState } });
      }
      case 'resources':
        return await this.#patch(name, change, { spec: { resources: { limits: asPatch(change.limits) } } });
      case 'replace': {
        known.story.begins += 1;
        const { life, rootfs, wish } = change;
        known.obeys = wish.obeys;
        const args = programArgs({ revision: this.#next(), life, obeys: wish.obeys });
        return await this.#patch(name, change, { spec: { args, rootfs: { path: this.#place.rootfs[rootfs] } } });
      }
      case 'restart': {
        known.story.begins += 1;
        const annotations = { 'runlet.dev/restartedAt': String(this.#next()) };
        return await this.#patch(name, change, { metadata: { annotations } });
      }
      case 'delete':
        await this.#delete(name, known);
        return false;
      case 'usurp': {
        await this.#delete(name, known);
        await this.#patch(name, change, { metadata: { uid: known.story.uid, finalizers: null } });
        this.#known.delete(name);
        await this.#create(name, change.wish);
        return this.#known.has(name);
      }
      case 'kill':
      case 'orphan':
        if (!this.#place.kill(name, change.kind === 'kill' ? 'processes' : 'monitor')) return true;
        known.story.kills += 1;
        this.#count(change.kind);
        return true;
    }
  }

  async #create(name: string, wish: Wish): Promise<void> {
    const serial = String(this.#next());
    const object = {
      apiVersion: 'runlet.dev/v1alpha1',
      kind: 'NodeTask',
      metadata: { name, namespace, annotations: { [serialAnnotation]: serial } },
      spec: this.#spec(wish),
    };
    let { status, body } = await this.#ask('POST', collection, object);
    // A former try may have made it without a word, or a former object may still be going.
    if (status === 409) ({ status, body } = await this.#ask('GET', `${collection}/${name}`));
    const metadata = body['metadata'] as { uid: string; annotations?: Record<string, string> } | undefined;
    if (status >= 300 || metadata?.annotations?.[serialAnnotation] !== serial) return;
    const story: Story = { name, uid: metadata.uid, restartPolicy: wish.restartPolicy, begins: 0, kills: 0 };
    this.#stories.set(story.uid, story);
    this.#known.set(name, { story, runState: wish.runState, obeys: wish.obeys });
    this.#count('create');
  }

  #spec({ runState, life, restartPolicy, limits, ttl, graceSeconds, obeys }: Wish): object {
    const { nodeName, rootfs, shared } = this.#place;
    return {
      ...{ nodeName, runState, restartPolicy, rootfs: { path: rootfs[0] }, resources: { limits } },
      ...programSpec({ shared, revision: this.#next(), life, obeys }),
      ...(ttl === undefined ? {} : { ttlSecondsAfterFinished: ttl }),
      terminationGracePeriodSeconds: graceSeconds,
    };
  }

  async #patch(name: string, { kind }: Change, patch: object): Promise<boolean> {
    const path = `${collection}/${name}`;
    const { status, body } = await this.#ask('PATCH', path, patch, 'application/merge-patch+json');
    if (status === 404 || status === 409) return false;
    if (status >= 300) throw new Error(`${kind} of ${name} was refused: ${String(body['message'])}`);
    this.#count(kind);
    return true;
  }

  async #delete(name: string, { story }: Known): Promise<void> {
    const { status } = await this.#ask('DELETE', `${collection}/${name}`, { preconditions: { uid: story.uid } });
    if (status < 300) this.#count('delete');
  }

  /** An answer of the server: one that is away, is starting or has too much to do is asked again. */
  async #ask(...args: Parameters<ApiServer['request']>): Promise<Answer> {
    for (;;) {
      const answer = await this.#server.request(...args).catch(() => undefined);
      if (answer && !isPassing(answer)) return answer;
      await delay(askAgainMs, undefined, { signal: this.#signal });
    }
  }

  #next(): number {
    this.#serial += 1;
    return this.#serial;
  }

  #count(kind: string): void {
    this.done.set(kind, (this.done.get(kind) ?? 0) + 1);
  }
}

/** A server that has just started does not know our kinds yet, and says 404 to everything below them. */
function isPassing({ status, body }: Answer): boolean {
  const isAboutObject = (body['details'] as { readonly name?: string } | undefined)?.name !== undefined;
  return status >= 500 || status === 429 || (status === 404 && !isAboutObject);
}

/** A limit that is not named is taken away. */
function asPatch({ cpu = null, memory = null, pids = null }: { [K in keyof Limits]?: Limits[K] | null }): object {
  return { cpu, memory, pids };
}
