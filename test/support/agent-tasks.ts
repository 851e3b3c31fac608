import { inNamespace, replies, unary, type ApiClient } from '#api/client.ts';
import type { LogChunk, TaskSummary } from '#api/gen/runlet/v1/runlet.ts';
import { eventually, type TestNode } from './node.ts';

/** What tests ask of an agent over its API, on the tasks of one namespace. */
export class AgentTasks {
  readonly #api: ApiClient;
  readonly #node: TestNode;
  readonly namespace: string;

  constructor(agent: { readonly api: ApiClient; readonly node: TestNode }, namespace = 'default') {
    this.#api = agent.api;
    this.#node = agent.node;
    this.namespace = namespace;
  }

  /** Makes and starts a task of the node's busybox that runs a script. */
  async run(id: string, script: string, spec: Readonly<Record<string, unknown>> = {}): Promise<number> {
    await this.create(id, { command: ['/bin/sh', '-c', script], rootfs: { path: this.#node.rootfs }, ...spec });
    const { tasks } = this.#api;
    const { pid } = await unary(
      tasks.start.bind(tasks),
      { containerId: id, execId: '' },
      { metadata: inNamespace(this.namespace) },
    );
    return pid;
  }

  /** Makes a container and task of a NodeTask's spec; returns the warnings. */
  async create(id: string, spec: Readonly<Record<string, unknown>>): Promise<readonly string[]> {
    const request = {
      ...{ namespace: this.namespace, id, specJson: JSON.stringify(spec), labels: {}, baseDir: this.#node.folder },
      stdinOnce: false,
      user: '',
    };
    const warnings: string[] = [];
    for await (const { step } of replies(this.#api.runlet.create(request))) {
      if (step?.$case === 'warning') warnings.push(step.value);
    }
    return warnings;
  }

  async list(): Promise<readonly TaskSummary[]> {
    const { runlet } = this.#api;
    const { tasks } = await unary(runlet.list.bind(runlet), { namespace: this.namespace, ids: [] });
    return tasks;
  }

  /** What the list says of a task; undefined when it is not there. */
  async find(id: string): Promise<TaskSummary | undefined> {
    return (await this.list()).find((task) => task.id === id);
  }

  async kill(id: string, signal: number): Promise<void> {
    const { tasks } = this.#api;
    await unary(
      tasks.kill.bind(tasks),
      { containerId: id, execId: '', signal, all: false },
      { metadata: inNamespace(this.namespace) },
    );
  }

  /** Removes a task by force. */
  async remove(id: string): Promise<void> {
    const { runlet } = this.#api;
    await unary(runlet.remove.bind(runlet), { namespace: this.namespace, id, force: true });
  }

  /** Waits until a task has this status. */
  async until(id: string, status: string): Promise<TaskSummary> {
    const found = await eventually(
      () => this.find(id),
      (task) => task?.status === status,
      `task ${id} is ${status}`,
    );
    if (!found) throw new Error(`task ${id} has gone`);
    return found;
  }

  /** The lines of a log, stdout and stderr alike. */
  async logs(
    id: string,
    options: { readonly follow?: boolean; readonly tail?: number; readonly attempt?: number } = {},
  ): Promise<readonly string[]> {
    const { follow = false, tail, attempt } = options;
    const request = { namespace: this.namespace, id, follow, sinceMs: 0n, tail, attempt };
    const chunks: LogChunk[] = [];
    for await (const chunk of replies(this.#api.runlet.logs(request))) chunks.push(chunk);
    return Buffer.concat(chunks.map(({ data }) => data))
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '');
  }
}
