import type { EnsureOptions, Image } from '#images/images.ts';
import type { MadeTask, MakeOptions, PreparedTask, RemoveOptions, TaskMaking } from '#kubernetes/making/making.ts';
import type { NodeTask } from '#kubernetes/node-task/types.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import { noIo } from '#task/io.ts';
import type { TaskManager } from '#task/task-manager.ts';
import { specOf } from './tasks.ts';

/** TaskMaking and an image store without images: tasks are made at once, of the object's command alone. */
export class FakeMaking implements TaskMaking {
  /** What was asked, such as `make k8s.default/web 0`, in order. */
  readonly calls: string[] = [];
  /** Thrown by the next calls, first one first. */
  readonly failures: { readonly method: 'ensure' | 'make' | 'endRun' | 'remove'; readonly error: unknown }[] = [];
  /** Images that the next `ensure` has to pull first. */
  pulls = true;
  /** Awaited in the middle of a pull. */
  pull: (signal: AbortSignal | undefined) => Promise<void> = () => Promise.resolve();
  /** Awaited in the middle of a making. */
  making: () => Promise<void> = () => Promise.resolve();
  readonly options: MakeOptions[] = [];
  readonly #tasks: TaskManager;

  constructor(tasks: TaskManager) {
    this.#tasks = tasks;
  }

  async ensure(reference: string, { onProgress, signal, policy }: EnsureOptions): Promise<Image> {
    this.calls.push(`ensure ${reference} ${policy}`);
    if (this.pulls) onProgress?.({ phase: 'pulling' });
    await this.pull(signal);
    signal?.throwIfAborted();
    this.#failIfAsked('ensure');
    return {
      ...{ reference, digest: 'sha256:d', imageId: 'sha256:i', config: {}, sizeBytes: 1, pulledAtMs: 0 },
    };
  }

  prepare(task: NodeTask, { ref, attempt, owner, restoreFrom }: MakeOptions): Promise<PreparedTask> {
    const args = task.spec.command ?? ['forever'];
    return Promise.resolve({
      request: {
        ...ref,
        spec: specOf(args),
        io: noIo,
        rootfs: [],
        owner: { ...owner, maker: 'runlet', attempt: String(attempt) },
        ...(restoreFrom === undefined ? {} : { restoreFrom }),
      },
      ...(task.spec.image === undefined
        ? {}
        : {
            image: {
              ...{ reference: task.spec.image, digest: 'sha256:d', imageId: 'sha256:i' },
              ...{ config: {}, sizeBytes: 1, pulledAtMs: 0 },
            },
          }),
      stopSignal: 15,
      notSupported: [],
      undo: () => Promise.resolve(),
    });
  }

  async make(task: NodeTask, options: MakeOptions): Promise<MadeTask> {
    this.calls.push(`make ${refKey(options.ref)} ${options.attempt}`);
    this.options.push(options);
    await this.making();
    this.#failIfAsked('make');
    const prepared = await this.prepare(task, options);
    await options.admit?.(prepared.request.spec);
    const made = await this.#tasks.create(prepared.request, options.signal ? { signal: options.signal } : {});
    return { ...prepared, task: made };
  }

  async endRun(ref: TaskRef): Promise<void> {
    this.calls.push(`endRun ${refKey(ref)}`);
    this.#failIfAsked('endRun');
    if (this.#tasks.find(ref)) await this.#tasks.delete(ref);
  }

  async remove(ref: TaskRef, { keepLogsAs, leaveLogs }: RemoveOptions): Promise<void> {
    this.calls.push(`remove ${refKey(ref)} ${leaveLogs ? 'but its logs' : (keepLogsAs ?? '')}`);
    this.#failIfAsked('remove');
    if (this.#tasks.find(ref)) await this.#tasks.delete(ref);
  }

  sweep(): Promise<void> {
    return Promise.resolve();
  }

  #failIfAsked(method: 'ensure' | 'make' | 'endRun' | 'remove'): void {
    const at = this.failures.findIndex((failure) => failure.method === method);
    const [failure] = at < 0 ? [] : this.failures.splice(at, 1);
    if (failure) throw failure.error;
  }
}
