import type { Mount } from './runtime.ts';
import type { ExecId, Namespace, TaskId } from './ids.ts';

/** What the core tells of a task, in the order in which it happened; `topic` is containerd's. */
export type TaskEvent = { readonly namespace: Namespace; readonly containerId: TaskId; readonly atMs: number } & (
  | {
      readonly topic: '/tasks/create';
      readonly bundle: string;
      readonly rootfs: readonly Mount[];
      readonly io: {
        readonly stdin: string;
        readonly stdout: string;
        readonly stderr: string;
        readonly terminal: boolean;
      };
      readonly checkpoint: string;
      readonly pid: number;
    }
  | { readonly topic: '/tasks/start'; readonly pid: number }
  | { readonly topic: '/tasks/exec-added'; readonly execId: ExecId }
  | { readonly topic: '/tasks/exec-started'; readonly execId: ExecId; readonly pid: number }
  | { readonly topic: '/tasks/oom' }
  | {
      readonly topic: '/tasks/exit';
      /** The container's id for the task's first process, else the exec's. */
      readonly id: string;
      readonly pid: number;
      readonly exitStatus: number;
      readonly exitedAtMs: number;
    }
  | { readonly topic: '/tasks/paused' }
  | { readonly topic: '/tasks/resumed' }
  | { readonly topic: '/tasks/checkpointed'; readonly checkpoint: string }
  | { readonly topic: '/tasks/delete'; readonly pid: number; readonly exitStatus: number; readonly exitedAtMs: number }
);

/** An event as a process tells it: whose it is and when are added. */
export type TaskFact = TaskEvent extends infer E
  ? E extends TaskEvent
    ? Omit<E, 'namespace' | 'containerId' | 'atMs'>
    : never
  : never;

/** What a publisher gives: the bus adds nothing but order. */
export type Listener<E> = (event: E) => void;

/** Hands each event to every listener at once, in order; a listener that throws is reported and the others still hear. */
export class EventBus<E> {
  readonly #listeners = new Set<Listener<E>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  publish(event: E): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  /** Listens until disposed of. Nothing is replayed. */
  subscribe(listener: Listener<E>): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}
