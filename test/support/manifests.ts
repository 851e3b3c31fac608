import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unary } from '#api/client.ts';
import type { NodeTaskStatus } from '#kubernetes/node-task/types.ts';
import type { AgentNode, AgentStart, RunningAgent } from './agent.ts';
import { eventually } from './node.ts';

/** A folder of manifests of a test's own, and what an agent says of its objects. */
export class Manifests {
  readonly folder: string;
  readonly #node: AgentNode;
  #agent: RunningAgent | undefined;

  constructor(node: AgentNode) {
    this.#node = node;
    this.folder = join(node.folder, 'manifests');
    mkdirSync(this.folder, { mode: 0o755 });
  }

  /** Starts an agent that follows the folder. */
  async start({ flags = [], env }: AgentStart = {}): Promise<RunningAgent> {
    const own = ['--manifests', this.folder, '--rootfs-allow', this.#node.folder, '--log-level', 'debug'];
    this.#agent = await this.#node.start({ flags: [...own, ...flags], ...(env ? { env } : {}) });
    return this.#agent;
  }

  /** Writes a file as a whole, as careful editors do. */
  write(file: string, text: string): void {
    const hidden = join(this.folder, `.${file}.new`);
    writeFileSync(hidden, text);
    renameSync(hidden, join(this.folder, file));
  }

  remove(file: string): void {
    rmSync(join(this.folder, file));
  }

  /** Writes `<name>.yaml` with a NodeTask that runs a script in the node's busybox. JSON is YAML. */
  put(
    name: string,
    script: string,
    spec: Readonly<Record<string, unknown>> = {},
    annotations: Readonly<Record<string, string>> = {},
  ): void {
    this.write(`${name}.yaml`, this.text(name, script, spec, annotations));
  }

  text(
    name: string,
    script: string,
    spec: Readonly<Record<string, unknown>> = {},
    annotations: Readonly<Record<string, string>> = {},
  ): string {
    const command = ['/bin/sh', '-c', script];
    return JSON.stringify({
      apiVersion: 'runlet.dev/v1alpha1',
      kind: 'NodeTask',
      metadata: { name, annotations },
      spec: { rootfs: { path: this.#node.rootfs }, command, stopSignal: 'KILL', ...spec },
    });
  }

  /** The object as `runlet inspect` shows it; undefined when there is none. */
  async inspect(
    name: string,
  ): Promise<{ readonly metadata: { readonly uid: string }; readonly status: NodeTaskStatus } | undefined> {
    const { runlet } = this.#running().api;
    try {
      const { json } = await unary(runlet.inspect.bind(runlet), { namespace: 'k8s.default', id: name });
      return (JSON.parse(json) as { nodeTask?: never }).nodeTask;
    } catch (error) {
      if (String(error).includes('NOT_FOUND') || String(error).includes('no task')) return undefined;
      throw error;
    }
  }

  async status(name: string): Promise<NodeTaskStatus | undefined> {
    return (await this.inspect(name))?.status;
  }

  /** Waits until the status of an object is good and returns it. */
  async until(name: string, good: (status: NodeTaskStatus) => boolean, what: string): Promise<NodeTaskStatus> {
    const found = await eventually(
      () => this.status(name),
      (status) => status !== undefined && good(status),
      `${name}: ${what}`,
    );
    if (!found) throw new Error(`${name} has no status`);
    return found;
  }

  /** Waits until `Ready` is `status/reason`. */
  async untilReady(name: string, ready: string): Promise<NodeTaskStatus> {
    return await this.until(name, (status) => readyOf(status) === ready, `Ready is ${ready}`);
  }

  /** Waits until nothing is known of an object and its task. */
  async untilGone(name: string): Promise<void> {
    await eventually(
      () => this.inspect(name),
      (found) => found === undefined,
      `${name} is gone`,
    );
  }

  #running(): RunningAgent {
    if (!this.#agent) throw new Error('no agent has been started');
    return this.#agent;
  }
}

/** `status/reason` of a condition. */
export function conditionOf(status: NodeTaskStatus | undefined, type: string): string | undefined {
  const found = status?.conditions?.find((condition) => condition.type === type);
  return found && `${found.status}/${found.reason}`;
}

function readyOf(status: NodeTaskStatus): string | undefined {
  return conditionOf(status, 'Ready');
}
