import { join } from 'node:path';
import { AlreadyExistsError, MalformedError } from '#errors/errors.ts';
import {
  existsSync,
  listNames,
  makeFolder,
  readTextSync,
  removeTreeAtomicSync,
  removeTreeSync,
  writeAtomicSync,
} from '#host/files.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { ExecId, TaskRef } from '#task/ids.ts';
import type { ExecRecord, TaskRecord } from '#task/runtime.ts';
import { ProcessFolder } from './process-folder.ts';

/** The one-shot steps that may be cut off by the agent's end; each is noted in the bundle before it begins. */
export type Journal =
  | { readonly step: 'checkpoint'; readonly imagePath: string; readonly exit: boolean; readonly wasPaused: boolean }
  | { readonly step: 'delete' };

/**
 * A task's folder, `<state>/tasks/<namespace>/<id>/`: an OCI bundle (config.json, rootfs) with what runlet remembers of the
 * task beside it. Every file is written whole or not at all, before what it tells of is done; so whatever a crash leaves can
 * be read back.
 */
export class Bundle {
  readonly ref: TaskRef;
  readonly path: string;
  /** What belongs to the first process. */
  readonly init: ProcessFolder;

  constructor(tasksFolder: string, ref: TaskRef) {
    this.ref = ref;
    this.path = join(tasksFolder, ref.namespace, ref.id);
    this.init = new ProcessFolder(this.path);
  }

  get rootfs(): string {
    return join(this.path, 'rootfs');
  }

  /** Where the runtime's own messages go, one JSON object a line. */
  get runtimeLog(): string {
    return join(this.path, 'runtime.log');
  }

  /** Makes the folder and notes what was asked. Throws AlreadyExistsError where there is a bundle. */
  async create(record: TaskRecord, spec: RuntimeSpec): Promise<void> {
    if (existsSync(join(this.path, 'task.json'))) {
      throw new AlreadyExistsError(`task ${this.ref.namespace}/${this.ref.id} has a bundle already`);
    }
    await makeFolder(this.rootfs);
    writeAtomicSync(join(this.path, 'task.json'), JSON.stringify(record));
    writeAtomicSync(join(this.path, 'config.json'), JSON.stringify(spec));
    this.init.create();
  }

  /** What was asked; undefined where the note was not written, so that nothing was begun either. */
  readRecord(): TaskRecord | undefined {
    return readJson(join(this.path, 'task.json')) as TaskRecord | undefined;
  }

  /** The specification that the task runs by. Throws MalformedError when it cannot be read. */
  readSpec(): RuntimeSpec {
    const spec = readJson(join(this.path, 'config.json'));
    if (spec === undefined) throw new MalformedError(`no config.json in ${this.path}`);
    return spec as RuntimeSpec;
  }

  /** Notes that a task to be restored is made: it has no process that would say so. */
  markReady(): void {
    writeAtomicSync(join(this.path, 'ready'), '');
  }

  get isReady(): boolean {
    return existsSync(join(this.path, 'ready'));
  }

  /** There once a restored task has been found to keep within its specification. */
  get provedMark(): string {
    return join(this.path, 'proved');
  }

  markProved(): void {
    writeAtomicSync(this.provedMark, '');
  }

  /** Whether what was restored may run; one that was started by an agent that did not ask is known to run. */
  get isProved(): boolean {
    return existsSync(this.provedMark) || this.init.readStarted() !== undefined;
  }

  /** Forgets a restore that was taken back. */
  forgetRestore(): void {
    removeTreeSync(join(this.path, 'gate'));
    this.init.remove('proved');
  }

  readJournal(): Journal | undefined {
    return readJson(join(this.path, 'journal.json')) as Journal | undefined;
  }

  writeJournal(step: Journal): void {
    writeAtomicSync(join(this.path, 'journal.json'), JSON.stringify(step));
  }

  clearJournal(): void {
    this.init.remove('journal.json');
  }

  /** How many out-of-memory kills have been told of: a new agent does not tell of them again. */
  writeOomKillsTold(count: bigint): void {
    writeAtomicSync(join(this.path, 'oom-kills-told'), String(count));
  }

  readOomKillsTold(): bigint {
    return BigInt(readTextSync(join(this.path, 'oom-kills-told')) ?? '0');
  }

  exec(execId: ExecId): ProcessFolder {
    return new ProcessFolder(join(this.path, 'exec', execId));
  }

  async createExec(exec: ExecRecord): Promise<ProcessFolder> {
    const folder = this.exec(exec.execId);
    await makeFolder(folder.path);
    folder.create();
    writeAtomicSync(join(folder.path, 'process.json'), JSON.stringify(exec.process));
    // Last, so that a folder with a record is whole.
    writeAtomicSync(join(folder.path, 'exec.json'), JSON.stringify(exec));
    return folder;
  }

  /** The execs that were added, whole ones only. */
  async readExecs(): Promise<readonly ExecRecord[]> {
    const names = await listNames(join(this.path, 'exec'));
    return names
      .filter((name) => !name.startsWith('.'))
      .flatMap((name) => {
        const record = readJson(join(this.path, 'exec', name, 'exec.json'));
        return record === undefined ? [] : [record as ExecRecord];
      });
  }

  /** Removes the folder so that nobody finds half of it. Nothing may be mounted in it any more. */
  remove(): void {
    removeTreeAtomicSync(this.path);
  }
}

function readJson(path: string): unknown {
  const text = readTextSync(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MalformedError(`${path} is not JSON`, { cause: error });
  }
}
