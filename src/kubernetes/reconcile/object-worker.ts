import type { TaskGroup } from '#async/task-group.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import type { Task } from '#task/task.ts';
import type { RemoveOptions } from '../making/making.ts';
import type { Problem } from '../node-task/problem.ts';
import type { NodeTaskStatus } from '../node-task/types.ts';
import { Actions } from './apply.ts';
import { readApplied } from './applied.ts';
import type { ReconcilerContext } from './context.ts';
import type { Worked } from './controller.ts';
import { claim } from './make-task.ts';
import { toTaskRef } from './names.ts';
import { askedResources, limitsDetail, observe, toLiveTask } from './observe.ts';
import { readOwner } from './owner.ts';
import { planRemoval, usualStopping } from './plan-removal.ts';
import { isAlive } from './plan-stop.ts';
import { planTask } from './plan.ts';
import { change, type ObjectRecord } from './record.ts';
import { objectKey, parseObjectKey } from './source.ts';
import type { ObjectIdentity, ObjectKey, SourceObject } from './source.ts';
import { isUrgent, nodeTaskStatus, sameStatus } from './status.ts';
import type { Hold, Plan, View } from './view.ts';

/** More steps than any way to what is asked has: who needs more goes in circles. */
const mostSteps = 50;
/** How soon to look again at what stands in the way and is nobody's to tell of. */
const lookAgainMs = 10_000;

/** Works on one object at a time: looks, plans, acts, until there is nothing to do now, and says what became of it. */
export class ObjectWorker {
  readonly #context: ReconcilerContext;
  readonly #actions: Actions;

  constructor(context: ReconcilerContext, background: TaskGroup) {
    this.#context = context;
    this.#actions = new Actions(context, background);
  }

  /** Makes the node as the object of this key asks, or rids the node of what is left of it. Throws to be tried again. */
  async work(key: ObjectKey, signal: AbortSignal): Promise<Worked> {
    const { source } = this.#context;
    const object = source.get(key);
    // What is not known yet may be there all the same.
    if (!object && !source.synced) return {};
    const wanted = object && !object.deleting ? object : undefined;
    const others = this.#others(key, wanted?.uid);
    // What was kept on disk may be older than what is on the node: on its word nobody is ended but the object itself.
    if (object && !object.confirmed && others.some(({ uid }) => uid !== object.uid)) {
      if (wanted) this.#say(wanted, undefined, { hold: unheard });
      return {};
    }
    for (const old of others) {
      const left = await this.#remove(old, signal);
      if (!left) continue;
      if (wanted) this.#say(wanted, undefined, { hold: namesake });
      return left;
    }
    if (object?.deleting) await this.#release(object);
    return wanted ? await this.#follow(wanted, signal) : {};
  }

  /** Of what its source has let go nothing is done, nor said again, until it wants something else. */
  async #follow(object: SourceObject, signal: AbortSignal): Promise<Worked> {
    const { memories, records } = this.#context;
    if (object.letGo && memories.of(object.uid).letGo === object.generation) return {};
    const worked = await this.#advance(object, signal);
    if (object.letGo && isOver(object, records.get(object.uid))) await this.#letGo(object, signal);
    // What a former agent made may have been let go while there was none: an uninstall that keeps tasks does that.
    if (!object.letGo && object.confirmed && this.#taskOf(object)) await claim(this.#context, object);
    return worked;
  }

  /** Removes all that the node has of it but its logs. Its status stays, and no longer says what its container is called. */
  async #letGo(object: SourceObject, signal: AbortSignal): Promise<void> {
    const { memories, sink } = this.#context;
    const { containerID: _, ...status } = memories.of(object.uid).status ?? {};
    await this.#removeAll(object, { leaveLogs: true, signal });
    memories.of(object.uid).letGo = object.generation;
    sink.status(object, status, { urgent: true });
  }

  /** Says of an object of which no task can be made what is wrong with it. */
  refuse(object: SourceObject, problem: Problem): void {
    const { task: _task, ...rest } = object;
    this.#say({ ...rest, problems: [...object.problems, problem] }, undefined, {});
  }

  /** The objects of that name that are on the node although they are not wanted there. */
  #others(key: ObjectKey, wantedUid: string | undefined): readonly ObjectIdentity[] {
    const { records, tasks } = this.#context;
    const known = new Map<string, ObjectIdentity>(records.ofKey(key).map((record) => [record.uid, record]));
    const task = tasks.find(toTaskRef(parseObjectKey(key)));
    const owner = task && readOwner(task);
    if (owner && !known.has(owner.uid)) known.set(owner.uid, owner);
    return [...known.values()].filter(({ uid }) => uid !== wantedUid);
  }

  /** Undefined when nothing of it is left. */
  async #remove(object: ObjectIdentity, signal: AbortSignal): Promise<Worked | undefined> {
    const { memories, records, wallClock } = this.#context;
    const { uid } = object;
    for (let step = 0; step < mostSteps; step += 1) {
      const nowMs = wallClock.nowMs();
      const task = this.#taskOf(object);
      const record = records.get(uid) ?? this.#forgotten(object);
      const live = task && toLiveTask(this.#context, task, record);
      const making = memories.of(uid).job !== undefined;
      const plan = planRemoval({ nowMs, record, making, ...(live ? { live } : {}) });
      if (!plan.action) return again(plan, nowMs);
      // A namesake's things are in the same places.
      if (plan.action.do === 'remove') {
        await this.#removeAll(object, { keepLogsAs: object.uid, signal });
        return undefined;
      }
      const applied = await this.#actions.apply(plan.action, { object, signal, ...(task ? { task } : {}) });
      if (applied === 'wait') return again(plan, nowMs);
    }
    return { againAfterMs: lookAgainMs };
  }

  async #removeAll(object: ObjectIdentity, options: RemoveOptions): Promise<void> {
    const { making, records, memories, log } = this.#context;
    await making.remove(toTaskRef(object), options);
    await records.forget(object.uid);
    memories.forget(object.uid);
    log.info({ object: objectKey(object), uid: object.uid }, 'nothing of an object is left on the node');
  }

  async #release(object: SourceObject): Promise<void> {
    await this.#context.sink.release(object);
    this.#context.memories.forget(object.uid);
  }

  /** For a task of which nothing is remembered: it ends as tasks usually do. */
  #forgotten({ uid, namespace, name }: ObjectIdentity): ObjectRecord {
    return {
      ...{ uid, namespace, name, stopping: usualStopping, bootId: this.#context.bootId },
      ...{ starts: 0, failures: 0, parked: false },
    };
  }

  async #advance(object: SourceObject, signal: AbortSignal): Promise<Worked> {
    const ref = toTaskRef(object);
    for (let step = 0; step < mostSteps; step += 1) {
      const stranger = this.#stranger(ref);
      const task = stranger ? undefined : this.#taskOf(object);
      const view = observe(this.#context, object, task);
      const plan: Plan = stranger ? nameTaken(ref, view.nowMs) : planTask(view);
      if (!plan.action) {
        this.#say(object, task, plan, view);
        this.#noteReached(object, task, plan);
        return again(plan, view.nowMs);
      }
      const applied = await this.#try(plan, { object, signal, ...(task ? { task } : {}) }, view);
      if (applied === 'on') continue;
      this.#say(object, this.#taskOf(object), plan);
      return again(plan, view.nowMs);
    }
    this.#context.log.error(
      { object: objectKey(object) },
      'an object needs more steps than there are: a fault of ours',
    );
    return { againAfterMs: lookAgainMs };
  }

  /** What fails is said as far as it is known, and tried again. */
  async #try(...args: [Plan, Parameters<Actions['apply']>[1], ReturnType<typeof observe>]): Promise<'on' | 'wait'> {
    const [plan, subject, view] = args;
    if (!plan.action) return 'wait';
    try {
      return await this.#actions.apply(plan.action, subject, view);
    } catch (error) {
      this.#say(view.object, subject.task, plan);
      throw error;
    }
  }

  /** Somebody else's task in the object's place. */
  #stranger(ref: TaskRef): boolean {
    const task = this.#context.tasks.find(ref);
    return task !== undefined && readOwner(task) === undefined;
  }

  #taskOf(object: ObjectIdentity): Task | undefined {
    const task = this.#context.tasks.find(toTaskRef(object));
    return task && readOwner(task)?.uid === object.uid ? task : undefined;
  }

  #noteReached(object: SourceObject, task: Task | undefined, plan: Plan): void {
    const memory = this.#context.memories.of(object.uid);
    const attempt = task && readOwner(task)?.attempt;
    if (plan.hold || attempt === undefined) delete memory.reached;
    else memory.reached = { generation: object.generation, attempt };
  }

  /** Says what the object is like now, when that is something new. `view`: where it has just been looked at. */
  #say(
    object: SourceObject,
    task: Task | undefined,
    { hold }: { readonly hold?: Hold },
    view = observe(this.#context, object, task),
  ): void {
    const { memories, records, sink } = this.#context;
    const memory = memories.of(object.uid);
    const record = records.get(object.uid);
    const before = memory.status ?? record?.status;
    const status = this.#status(view, task, hold);
    const same = sameStatus(before, status);
    if (same && memory.status) return;
    memory.status = status;
    if (record && !same) records.put(change(record, { status }));
    sink.status(object, status, { urgent: isUrgent(before, status) });
  }

  #status(view: View, task: Task | undefined, hold: Hold | undefined): NodeTaskStatus {
    const stats = isAlive(view.live) || view.live?.phase === 'created' ? task?.stats(limitsDetail) : undefined;
    const asked = view.live ? askedResources(view.record, view.live) : null;
    return nodeTaskStatus(view, {
      containerId: containerIdOf(view.object),
      ...(hold ? { hold } : {}),
      ...(stats ? { applied: readApplied(stats, asked) } : {}),
    });
  }
}

/** Whether it is stopped because that is what was asked for, and all of that has been said. */
function isOver({ task }: SourceObject, record: ObjectRecord | undefined): boolean {
  return task?.spec.runState === 'Stopped' && record?.parked === true;
}

/** Undefined where no task can have the object's name. */
function containerIdOf(object: ObjectIdentity): string | undefined {
  try {
    return refKey(toTaskRef(object));
  } catch {
    return undefined;
  }
}

const unheard: Hold = {
  reason: 'WaitingForAPIServer',
  message:
    'An object of this name with another UID has been on the node: which one counts is known when the API server is heard.',
};

const namesake: Hold = { reason: 'Pending', message: 'The task of an earlier object of this name is being removed.' };

function nameTaken(ref: TaskRef, nowMs: number): Plan {
  const message = `A task ${refKey(ref)} that somebody made by hand is in the way: remove it.`;
  return { hold: { reason: 'NameTaken', message, stalled: true }, againAtMs: nowMs + lookAgainMs };
}

function again({ againAtMs = Infinity }: Plan, nowMs: number): Worked {
  return Number.isFinite(againAtMs) ? { againAfterMs: Math.max(0, againAtMs - nowMs) } : {};
}
