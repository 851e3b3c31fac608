import type { Metadata } from '@grpc/grpc-js';
import { execFile, execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inNamespace, unary, type ApiClient } from '#api/client.ts';
import { packAny } from '#api/convert/any.ts';
import { Options } from '#api/gen/containerd/runc/v1/options.ts';
import type { Metric } from '#api/gen/containerd/types/types.ts';
import type { Process } from '#api/gen/containerd/types/task.ts';
import type { ProcessSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import { specTypeUrl } from '#task/containers.ts';
import { spec as busyboxSpec } from './runtime.ts';
import type { TestNode } from './node.ts';

/** A client of containerd's API as its own client library is one: makes FIFOs, then containers, tasks and processes. */
export class ContainerdClient {
  readonly api: ApiClient;
  readonly node: TestNode;
  readonly namespace: string;

  constructor(api: ApiClient, node: TestNode, namespace: string) {
    this.api = api;
    this.node = node;
    this.namespace = namespace;
  }

  get metadata(): Metadata {
    return inNamespace(this.namespace);
  }

  /** Makes a container whose first process runs these arguments. */
  async container(id: string, args: readonly string[], more: Partial<RuntimeSpec> = {}): Promise<ClientTask> {
    const { containers } = this.api;
    const spec = busyboxSpec(this.node, args, more);
    await unary(
      containers.create.bind(containers),
      {
        container: {
          ...{ id, labels: {}, image: '', snapshotter: '', snapshotKey: '', sandbox: '', extensions: {} },
          ...{ createdAt: undefined, updatedAt: undefined },
          runtime: { name: 'io.containerd.runc.v2', options: undefined },
          spec: { typeUrl: specTypeUrl, value: Buffer.from(JSON.stringify(spec)) },
        },
      },
      { metadata: this.metadata },
    );
    return new ClientTask(this, id, '');
  }

  /** A task that is there already. */
  task(id: string): ClientTask {
    return new ClientTask(this, id, '');
  }

  async deleteContainer(id: string): Promise<void> {
    const { containers } = this.api;
    await unary(containers.delete.bind(containers), { id }, { metadata: this.metadata });
  }
}

/** FIFOs that a client made for a process: it writes to one and reads from the others, none of them blocking. */
export interface Fifos {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly terminal: boolean;
}

/** A task, or a process of one. */
export class ClientTask {
  readonly client: ContainerdClient;
  readonly id: string;
  readonly execId: string;
  #stdin = '';
  #output: Promise<string> = Promise.resolve('');
  #errors: Promise<string> = Promise.resolve('');

  constructor(client: ContainerdClient, id: string, execId: string) {
    this.client = client;
    this.id = id;
    this.execId = execId;
  }

  get #tasks() {
    return this.client.api.tasks;
  }

  get #process() {
    return { containerId: this.id, execId: this.execId };
  }

  get #call() {
    return { metadata: this.client.metadata, timeoutMs: 60_000 };
  }

  /** Makes the FIFOs and begins to read, as a client does before it creates anything. */
  fifos(which: { readonly stdin?: boolean; readonly terminal?: boolean } = {}): Fifos {
    const folder = mkdtempSync(join(this.client.node.folder, 'fifo-'));
    const make = (name: string) => {
      const path = join(folder, name);
      execFileSync('mkfifo', [path]);
      return path;
    };
    const stdin = which.stdin ? make('stdin') : '';
    const stdout = make('stdout');
    const stderr = which.terminal ? '' : make('stderr');
    this.#stdin = stdin;
    this.#output = readAll(stdout);
    if (stderr) this.#errors = readAll(stderr);
    return { stdin, stdout, stderr, terminal: which.terminal ?? false };
  }

  /** Opens the writing end of its stdin, which the server reads; disposing of it is a client that leaves. */
  openStdin(): Disposable & { write(text: string): void } {
    const fd = openSync(this.#stdin, constants.O_WRONLY | constants.O_NONBLOCK);
    let open = true;
    return {
      write: (text) => void writeSync(fd, text),
      [Symbol.dispose]: () => {
        if (open) closeSync(fd);
        open = false;
      },
    };
  }

  /** All that it wrote, once every writer has gone. */
  get output(): Promise<string> {
    return this.#output;
  }

  get errors(): Promise<string> {
    return this.#errors;
  }

  async create(io?: Fifos, options?: Partial<Options>): Promise<number> {
    const none: Fifos = { stdin: '', stdout: '', stderr: '', terminal: false };
    const { pid } = await unary(
      this.#tasks.create.bind(this.#tasks),
      {
        ...(io ?? none),
        ...{ containerId: this.id, rootfs: [], checkpoint: undefined, runtimePath: '' },
        options: options && packAny('containerd.runc.v1.Options', Options, Options.fromPartial(options)),
      },
      this.#call,
    );
    return pid;
  }

  async exec(execId: string, args: readonly string[], io?: (exec: ClientTask) => Fifos): Promise<ClientTask> {
    const exec = new ClientTask(this.client, this.id, execId);
    const process: ProcessSpec = { user: { uid: 0, gid: 0 }, args, env: ['PATH=/bin'], cwd: '/' };
    const streams = io?.(exec) ?? { stdin: '', stdout: '', stderr: '', terminal: false };
    const value = Buffer.from(JSON.stringify({ ...process, terminal: streams.terminal }));
    await unary(
      this.#tasks.exec.bind(this.#tasks),
      { ...streams, containerId: this.id, execId, spec: { typeUrl: 'x', value } },
      this.#call,
    );
    return exec;
  }

  async start(): Promise<number> {
    return (await unary(this.#tasks.start.bind(this.#tasks), this.#process, this.#call)).pid;
  }

  async wait(timeoutMs = 60_000): Promise<{ readonly exitStatus: number; readonly exitedAtMs: number }> {
    const call = { ...this.#call, timeoutMs };
    const { exitStatus, exitedAt } = await unary(this.#tasks.wait.bind(this.#tasks), this.#process, call);
    return { exitStatus, exitedAtMs: Number(exitedAt?.seconds ?? 0n) * 1000 + (exitedAt?.nanos ?? 0) / 1e6 };
  }

  async get(): Promise<Process> {
    const { process } = await unary(this.#tasks.get.bind(this.#tasks), this.#process, this.#call);
    if (!process) throw new Error('an answer without a process');
    return process;
  }

  async kill(signal: number, all = false): Promise<void> {
    await unary(this.#tasks.kill.bind(this.#tasks), { ...this.#process, signal, all }, this.#call);
  }

  async pids(): Promise<readonly number[]> {
    const { processes } = await unary(this.#tasks.listPids.bind(this.#tasks), this.#process, this.#call);
    return processes.map(({ pid }) => pid);
  }

  async pause(): Promise<void> {
    await unary(this.#tasks.pause.bind(this.#tasks), this.#process, this.#call);
  }

  async resume(): Promise<void> {
    await unary(this.#tasks.resume.bind(this.#tasks), this.#process, this.#call);
  }

  async update(resources: object): Promise<void> {
    const value = { typeUrl: 'x', value: Buffer.from(JSON.stringify(resources)) };
    await unary(
      this.#tasks.update.bind(this.#tasks),
      { ...this.#process, resources: value, annotations: {} },
      this.#call,
    );
  }

  async resize(width: number, height: number): Promise<void> {
    await unary(this.#tasks.resizePty.bind(this.#tasks), { ...this.#process, width, height }, this.#call);
  }

  async closeIo(): Promise<void> {
    await unary(this.#tasks.closeIo.bind(this.#tasks), { ...this.#process, stdin: true }, this.#call);
  }

  async metrics(): Promise<readonly Metric[]> {
    const filters = [`id==${this.id}`];
    return (await unary(this.#tasks.metrics.bind(this.#tasks), { filters }, this.#call)).metrics;
  }

  /** Deletes it; returns its exit status. */
  async delete(): Promise<number> {
    const tasks = this.#tasks;
    const { exitStatus } = await (this.execId === ''
      ? unary(tasks.delete.bind(tasks), { containerId: this.id }, this.#call)
      : unary(tasks.deleteProcess.bind(tasks), this.#process, this.#call));
    return exitStatus;
  }

  /** Kills it if need be, and removes task and container. */
  async remove(): Promise<void> {
    await this.kill(9, true);
    await this.wait();
    await this.delete();
    await this.client.deleteContainer(this.id);
  }
}

/** Reads a FIFO from its first writer until its last has gone; a process of its own, because the open blocks until then. */
function readAll(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('cat', [path], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
}
