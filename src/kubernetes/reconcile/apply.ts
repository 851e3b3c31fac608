import { NotFoundError, TerminalError, errorMessage } from '#errors/errors.ts';
import type { TaskGroup } from '#async/task-group.ts';
import type { Task } from '#task/task.ts';
import { updateResources } from './apply-resources.ts';
import type { Applied, ReconcilerContext, Subject } from './context.ts';
import { makeInBackground } from './make-task.ts';
import { MakingJob } from './making-job.ts';
import { toTaskRef } from './names.ts';
import type { ObjectEvent, ObjectIdentity, SourceObject } from './source.ts';
import type { Action, View } from './view.ts';

const killSignal = 9;
/** What only a change can mend is looked at again now and then all the same: the change may be one of the node. */
const terminalRetryMs = 300_000;

/** Carries out actions, whoever planned them. */
export class Actions {
  readonly #context: ReconcilerContext;
  readonly #background: TaskGroup;

  constructor(context: ReconcilerContext, background: TaskGroup) {
    this.#context = context;
    this.#background = background;
  }

  /** Carries out one. Throws what the core or the runtime says; then nothing of it is remembered. */
  async apply(action: Action, subject: Subject, view?: View): Promise<Applied> {
    const { records, memories, sink, making } = this.#context;
    const { object, task, signal } = subject;
    switch (action.do) {
      case 'remember':
        records.put(action.record);
        this.#tell(object, action.events);
        return 'on';
      case 'make':
        return this.#make(action, view);
      case 'cancelMaking':
        memories.of(object.uid).job?.cancel('its object wants something else now');
        return 'wait';
      case 'start':
        return await this.#start(subject, view);
      case 'pause':
      case 'resume':
        await task?.[action.do]({ signal });
        this.#tell(object, frozenEvents(action));
        return 'on';
      case 'signal':
        // In mind before, so that nobody sends it twice; on the disk behind it.
        records.put(action.record);
        this.#tell(object, action.events);
        await send(task, action.signal);
        return 'on';
      case 'kill':
        await send(task, killSignal);
        return 'wait';
      case 'update':
        return await updateResources(this.#context, subject, action);
      case 'endRun':
        // What is known of the run must be on the disk before the run is gone.
        await records.flush(object.uid);
        await making.endRun(toTaskRef(object), { signal });
        return 'on';
      case 'remove':
        await making.remove(toTaskRef(object), { keepLogsAs: object.uid, signal });
        return 'on';
      case 'deleteObject':
        await sink.delete(object);
        return 'wait';
    }
  }

  #make(action: Extract<Action, { do: 'make' }>, view: View | undefined): Applied {
    const { memories } = this.#context;
    const object = view?.object;
    if (!object || !isValid(object)) return 'wait';
    const job = new MakingJob({ attempt: action.attempt, hash: action.hash, generation: object.generation });
    const memory = memories.of(object.uid);
    memory.job = job;
    delete memory.reached;
    if (action.drift) this.#tell(object, [madeAnew]);
    this.#background.spawn(() => makeInBackground(this.#context, object, job));
    return 'on';
  }

  /** What cannot be started is taken away and made anew later. */
  async #start({ object, task, signal }: Subject, view: View | undefined): Promise<Applied> {
    const { records, making, memories, wallClock } = this.#context;
    if (!task) return 'on';
    await records.flush(object.uid);
    try {
      await task.start({ signal });
    } catch (error) {
      if (signal.aborted || (task.phase !== 'created' && task.phase !== 'restoring')) throw error;
      await making.endRun(toTaskRef(object), { signal });
      // What would have more rights than it may is not let run by another try.
      const terminal = error instanceof TerminalError;
      const reason = terminal ? error.reason : 'StartFailed';
      memories.of(object.uid).trouble = {
        ...{ reason, terminal, message: errorMessage(error), failures: 1 },
        retryAtMs: wallClock.nowMs() + (terminal ? terminalRetryMs : 10_000),
        generation: view?.object.generation ?? records.get(object.uid)?.status?.observedGeneration ?? 0,
        hash: task.record.owner['hash'] ?? '',
      };
      this.#tell(object, [{ type: 'Warning', reason, note: errorMessage(error).slice(0, 1024) }]);
    }
    return 'on';
  }

  #tell(object: ObjectIdentity, events: readonly ObjectEvent[]): void {
    for (const event of events) this.#context.sink.event(object, event);
  }
}

const madeAnew: ObjectEvent = {
  type: 'Warning',
  reason: 'DriftCorrected',
  note: 'Somebody else had removed its task; it is made anew',
};

function frozenEvents(action: Extract<Action, { do: 'pause' | 'resume' }>): readonly ObjectEvent[] {
  const [reason, note, other] =
    action.do === 'pause'
      ? ['Paused', 'It is frozen', 'Somebody else had thawed it; it is frozen again']
      : ['Resumed', 'It goes on', 'Somebody else had frozen it; it goes on again'];
  return action.drift
    ? [{ type: 'Warning', reason: 'DriftCorrected', note: other }]
    : [{ type: 'Normal', reason, note }];
}

/** Who has ended needs no signal. */
async function send(task: Task | undefined, signal: number): Promise<void> {
  try {
    await task?.kill(signal);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}

function isValid(object: SourceObject): object is SourceObject & { readonly task: NonNullable<SourceObject['task']> } {
  return object.task !== undefined;
}
