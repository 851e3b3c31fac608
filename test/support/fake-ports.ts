import { FailedPreconditionError, InvalidArgumentError, NotFoundError } from '#errors/errors.ts';
import type { ImageAdmin, ImageInfo, LogLine, LogSource, MakeRequest, TaskMaker } from '#api/ports.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { specTypeUrl, type ContainerStore } from '#task/containers.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import { noIo } from '#task/io.ts';
import type { TaskManager } from '#task/task-manager.ts';
import { specOf } from './tasks.ts';

const graceSignal = 15;

/** Makes tasks of nothing but their arguments on a fake runtime, and notes what it was asked for. */
export class FakeMaker implements TaskMaker {
  readonly made: MakeRequest[] = [];
  readonly calls: string[] = [];
  /** Where tasks and containers are made; to be set before the first. */
  tasks: TaskManager | undefined;
  containers: ContainerStore | undefined;

  async make(request: MakeRequest, options: Parameters<TaskMaker['make']>[1]): ReturnType<TaskMaker['make']> {
    const { args, command, image } = request.spec as { args?: string[]; command?: string[]; image?: string };
    if (image === 'nowhere') throw new InvalidArgumentError('spec.image: there is no such image');
    if (image) options.onProgress({ phase: `pulling ${image}`, doneBytes: 1, totalBytes: 2 });
    if (image) options.onProgress({ phase: `pulling ${image}`, doneBytes: 2, totalBytes: 2 });
    options.onWarning('memoryHigh is not there on cgroup v1');
    this.made.push(request);
    const { namespace, id } = request;
    const spec = specOf([...(command ?? []), ...(args ?? [])]);
    await this.containers?.create(plainContainer({ namespace, id }, spec));
    return await this.#tasks.create({ namespace, id, io: noIo, rootfs: [], spec });
  }

  async restart(ref: TaskRef): ReturnType<TaskMaker['restart']> {
    this.calls.push(`restart ${refKey(ref)}`);
    return await Promise.resolve(this.#tasks.get(ref));
  }

  async remove(ref: TaskRef, { force }: { readonly force: boolean }): Promise<void> {
    this.calls.push(`remove ${refKey(ref)}${force ? ' force' : ''}`);
    const task = this.#tasks.get(ref);
    if (task.status === 'running' && !force) throw new FailedPreconditionError(`task ${refKey(ref)} is running`);
    if (task.status === 'running') await this.#end(ref, 9);
    await this.#tasks.delete(ref);
    await this.containers?.delete(ref);
  }

  async stop(ref: TaskRef, { graceMs }: { readonly graceMs?: number }): Promise<void> {
    this.calls.push(`stop ${refKey(ref)}${graceMs === undefined ? '' : ` ${graceMs}`}`);
    await this.#end(ref, graceSignal);
  }

  async update(ref: TaskRef, resources: unknown): Promise<readonly string[]> {
    this.calls.push(`update ${refKey(ref)} ${JSON.stringify(resources)}`);
    return await Promise.resolve(['io.weight is not there']);
  }

  async restore(ref: TaskRef, { path }: { readonly path: string }): ReturnType<TaskMaker['restore']> {
    this.calls.push(`restore ${refKey(ref)} ${path}`);
    return await Promise.resolve(this.#tasks.get(ref));
  }

  resolveUser(): never {
    throw new NotFoundError('there are no users here');
  }

  async #end(ref: TaskRef, signal: number): Promise<void> {
    const task = this.#tasks.get(ref);
    await task.kill(signal);
    await task.wait();
  }

  get #tasks(): TaskManager {
    if (!this.tasks) throw new Error('the maker has no tasks yet');
    return this.tasks;
  }
}

/** A container's record as ctr would make it. */
export function plainContainer(ref: TaskRef, spec: RuntimeSpec): Parameters<ContainerStore['create']>[0] {
  return {
    ...ref,
    ...{ image: '', labels: {}, runtime: { name: 'io.containerd.runc.v2' }, snapshotter: '', snapshotKey: '' },
    ...{ extensions: {}, sandbox: '' },
    spec: { typeUrl: specTypeUrl, value: Buffer.from(JSON.stringify(spec)).toString('base64') },
  };
}

/** Images in memory. */
export class FakeImages implements ImageAdmin {
  readonly images = new Map<string, ImageInfo>();

  async pull(reference: string, options: Parameters<ImageAdmin['pull']>[1]): Promise<ImageInfo> {
    options.onProgress({ phase: 'pulling' });
    options.onProgress({ phase: 'unpacking' });
    const image = {
      ...{ reference, digest: 'sha256:d1', imageId: 'sha256:0123456789abcdef', sizeBytes: 4_194_304 },
      ...{ pulledAtMs: 1_700_000_000_000, inUse: reference.includes('busy') },
    };
    this.images.set(reference, image);
    return await Promise.resolve(image);
  }

  list(): Promise<readonly ImageInfo[]> {
    return Promise.resolve([...this.images.values()]);
  }

  async remove(reference: string): Promise<void> {
    const image = this.images.get(reference);
    if (!image) throw new NotFoundError(`no image ${reference}`);
    if (image.inUse) throw new FailedPreconditionError(`image ${reference} is in use`);
    this.images.delete(reference);
    return await Promise.resolve();
  }

  async prune(): Promise<{ readonly removed: readonly string[]; readonly bytes: number }> {
    const free = [...this.images.values()].filter(({ inUse }) => !inUse);
    for (const { reference } of free) this.images.delete(reference);
    const bytes = free.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return await Promise.resolve({ removed: free.map(({ reference }) => reference), bytes });
  }
}

/** A log of three lines, the second on stderr and in two parts; what was asked for is noted. */
export class FakeLogs implements LogSource {
  readonly asked: object[] = [];

  async *read(
    ref: TaskRef,
    { signal: _signal, ...options }: Parameters<LogSource['read']>[1],
  ): AsyncGenerator<LogLine> {
    this.asked.push({ id: ref.id, ...options });
    yield line(1, 'stdout', 'one\n');
    yield line(2, 'stderr', 'tw');
    yield line(2, 'stderr', 'o\n');
    yield await Promise.resolve(line(3, 'stdout', 'three\n'));
  }
}

function line(second: number, stream: 'stdout' | 'stderr', text: string): LogLine {
  return { time: `2026-01-01T00:00:0${second}.000000001Z`, stream, data: Buffer.from(text) };
}
