import type { TaskEvent } from '#task/events.ts';
import { refKey } from '#task/ids.ts';
import { followExec, follow, type ExecPhase, type Phase, type Verb } from '#task/state.ts';
import type { TaskManager } from '#task/task-manager.ts';

/** What events tell of one life of a task, from its create to its delete. */
interface Life {
  phase: Phase;
  readonly execs: Map<string, ExecPhase>;
}

const verbs: Partial<Record<TaskEvent['topic'], Verb>> = {
  '/tasks/start': 'start',
  '/tasks/paused': 'pause',
  '/tasks/resumed': 'resume',
  '/tasks/checkpointed': 'checkpoint',
};

/**
 * Reads events as a story and throws where it breaks the transition tables or the order: each end is told once, nothing but
 * the delete comes after the first process's, execs end before it; what is told last is what the manager says now.
 */
export function checkStory(events: readonly TaskEvent[], manager: TaskManager): void {
  const lives = new Map<string, Life>();
  for (const event of events) {
    const key = refKey({ namespace: event.namespace, id: event.containerId });
    const life = lives.get(key);
    if (event.topic === '/tasks/create') {
      if (life) throw new Error(`${key} is created twice`);
      lives.set(key, { phase: event.checkpoint === '' ? 'created' : 'restoring', execs: new Map() });
    } else if (life) {
      read(life, event, key);
      if (life.phase === 'deleted') lives.delete(key);
    } else {
      throw new Error(`${event.topic} of ${key}, which is not there`);
    }
  }
  const now = Object.fromEntries(manager.list().map((task) => [refKey(task.ref), task.phase]));
  const told = Object.fromEntries([...lives].map(([key, { phase }]) => [key, phase]));
  if (JSON.stringify(sorted(now)) !== JSON.stringify(sorted(told))) {
    throw new Error(`told ${JSON.stringify(told)}, but it is ${JSON.stringify(now)}`);
  }
}

function read(life: Life, event: TaskEvent, key: string): void {
  const verb = verbs[event.topic];
  if (verb) life.phase = follow(life.phase, verb, key);
  else if (event.topic === '/tasks/delete') {
    if (life.phase !== 'stopped') throw new Error(`${key} is deleted before its end is told`);
    life.phase = follow(life.phase, 'delete', key);
  } else if (life.phase === 'stopped') throw new Error(`${event.topic} of ${key} after its end`);
  else if (event.topic === '/tasks/exit' && event.id === event.containerId) end(life, key);
  else readExec(life, event, key);
}

function end(life: Life, key: string): void {
  for (const [id, phase] of life.execs) {
    if (phase === 'running') throw new Error(`${key} ends before its exec ${id}`);
  }
  life.phase = follow(life.phase, 'exited', key);
}

/** A deleted exec is told of by nothing, so its id may be added again when it does not run. */
function readExec(life: Life, event: TaskEvent, key: string): void {
  const step = (id: string, verb: Verb) => {
    life.execs.set(id, followExec(life.execs.get(id) ?? 'deleted', verb, `${key}/${id}`));
  };
  if (event.topic === '/tasks/exec-started') step(event.execId, 'start');
  if (event.topic === '/tasks/exit') step(event.id, 'exited');
  if (event.topic === '/tasks/exec-added') {
    if (life.execs.get(event.execId) === 'running') throw new Error(`${key}/${event.execId} is added while it runs`);
    life.execs.set(event.execId, 'created');
  }
}

function sorted(record: Readonly<Record<string, Phase>>): readonly (readonly [string, Phase])[] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
