import { join } from 'node:path';
import { FailedPreconditionError } from '#errors/errors.ts';
import { exists, listNames, makeFolder, readTextSync, removeTree } from '#host/files.ts';
import type { CheckpointOptions } from '#task/runtime.ts';
import type { RuntimeFailedError } from './runc/failure.ts';
import type { SupervisedTask } from './supervised-task.ts';

/** The folders of one dump. Disposing of it removes CRIU's logs and, unless it is to be kept, all that was dumped. */
export class DumpFolders implements AsyncDisposable {
  /** Where CRIU keeps its logs. */
  readonly work: string;
  readonly #options: CheckpointOptions;
  /** What was in the image folder before; undefined where there was no folder. */
  readonly #before: ReadonlySet<string> | undefined;
  #keep = false;

  private constructor(options: CheckpointOptions, work: string, before: ReadonlySet<string> | undefined) {
    this.#options = options;
    this.work = work;
    this.#before = before;
  }

  /** Makes what is not there. */
  static async make(options: CheckpointOptions, task: SupervisedTask): Promise<DumpFolders> {
    const { imagePath, workPath } = options;
    const before = (await exists(imagePath)) ? new Set(await listNames(imagePath)) : undefined;
    const folders = new DumpFolders(options, workPath ?? join(task.bundle.path, 'checkpoint-work'), before);
    await makeFolder(imagePath, 0o700);
    await makeFolder(folders.work, 0o700);
    return folders;
  }

  keep(): void {
    this.#keep = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#options.workPath === undefined) await removeTree(this.work);
    if (this.#keep) return;
    const { imagePath } = this.#options;
    if (!this.#before) await removeTree(imagePath);
    for (const name of await listNames(imagePath)) {
      if (!this.#before?.has(name)) await removeTree(join(imagePath, name));
    }
  }
}

/** Lines of CRIU's log that say why, at most. */
const reasons = 3;

/**
 * What a failed dump means to whoever asked for it: the runtime names only a log file, which is about to go, so CRIU's own
 * errors are taken from there.
 */
export function dumpFailure(task: SupervisedTask, work: string, failure: RuntimeFailedError): Error {
  const refused = `cannot checkpoint task ${task.key}: `;
  if (/criu.*(not found|no such file)/i.test(failure.message)) {
    return new FailedPreconditionError(`${refused}this machine has no criu`, { cause: failure });
  }
  const errors = criuErrors(readTextSync(join(work, 'dump.log')) ?? '');
  if (errors.length === 0) return failure;
  const hint =
    task.record.io.kind === 'fifo' || task.record.io.kind === 'file'
      ? ` (its streams are ${task.record.io.kind === 'fifo' ? 'FIFOs' : 'a file'} of the node's, which criu does not know)`
      : '';
  return new FailedPreconditionError(`${refused}criu refuses it${hint}: ${errors.join('; ')}`, { cause: failure });
}

/** The first errors of CRIU's log, `(00.012) Error (criu/files.c:12): what` each: those after them only follow from them. */
export function criuErrors(log: string): readonly string[] {
  return [...log.matchAll(/^\(\d+\.\d+\)\s+(?:\d+: )?Error \([^)]*\): (.*)$/gm)]
    .map(([, what = '']) => what.trim())
    .slice(0, reasons);
}
