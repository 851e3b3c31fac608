import { NotFoundError } from '#errors/errors.ts';
import type { TaskContext } from './context.ts';
import { ExecProcess, type ExecHost, type ExecState } from './exec-process.ts';
import type { ExecId } from './ids.ts';
import type { Exit } from './runtime.ts';

/** The processes that exec added to one task. */
export class ExecSet {
  readonly #context: TaskContext;
  readonly #host: ExecHost;
  readonly #execs = new Map<ExecId, ExecProcess>();

  constructor(context: TaskContext, host: Omit<ExecHost, 'forget'>) {
    this.#context = context;
    this.#host = { ...host, forget: (execId) => void this.#execs.delete(execId) };
  }

  add(state: ExecState): ExecProcess {
    const exec = new ExecProcess(this.#context, this.#host, state);
    this.#execs.set(exec.execId, exec);
    return exec;
  }

  has(execId: ExecId): boolean {
    return this.#execs.has(execId);
  }

  /** Throws NotFoundError with containerd's text. */
  get(execId: ExecId): ExecProcess {
    const exec = this.#execs.get(execId);
    if (!exec) throw new NotFoundError(`process does not exist ${execId}: not found`);
    return exec;
  }

  get all(): readonly ExecProcess[] {
    return [...this.#execs.values()];
  }

  get live(): readonly ExecProcess[] {
    return this.all.filter((exec) => exec.live);
  }

  /** Host pid → exec, of those that have a process. */
  byPid(): ReadonlyMap<number, ExecId> {
    return new Map(this.live.map((exec) => [exec.pid, exec.execId]));
  }

  /** The runtime tells of an end; nothing when the exec has been deleted. */
  exited(execId: ExecId, exit: Exit): void {
    this.#execs.get(execId)?.exited(exit);
  }

  /** Those whose end was not told in time end as lost. */
  giveUp(): void {
    for (const exec of this.live) exec.giveUp();
  }

  /** The task is gone, and its execs with it. */
  drop(): void {
    for (const exec of this.all) exec.dropped();
    this.#execs.clear();
  }

  letGo(reason: Error): void {
    for (const exec of this.all) exec.letGo(reason);
  }
}
