import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { ContainerStore } from '#task/containers.ts';
import { FakeSource, nodeTask } from '../../../test/support/fake-source.ts';
import { MemoryRecords } from '../../../test/support/reconciling.ts';
import { recoveredNode, type FakeNode } from '../../../test/support/tasks.ts';
import type { KubernetesClient } from '../client/client.ts';
import { KubernetesError } from '../client/kubernetes-error.ts';
import type { SessionRecord } from './record.ts';
import { noRecordings, type Recordings } from './recorder.ts';
import { Sessions } from './sessions.ts';
import type { LogLine, SessionOutput, SessionTicket } from './stream.ts';

interface Stored {
  readonly metadata: { readonly uid: string } & Record<string, unknown>;
  readonly spec: object;
  status?: Readonly<Record<string, unknown>>;
}

const collection = '/apis/runlet.dev/v1alpha1/namespaces/default';
const digest = createHash('sha256').update('right').digest('hex');

/** As much of an API server as sessions ask of it. */
class Server {
  readonly objects = new Map<string, Stored>();
  nowMs = 1_700_000_000_000;
  reads = 0;
  #version = 1;

  put(kind: 'log' | 'exec', name: string, spec: object = {}): string {
    const path = `${collection}/nodetask${kind}sessions/${name}`;
    const created = new Date(this.nowMs).toISOString();
    const metadata = { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '1', generation: 1 };
    this.objects.set(path, {
      metadata: { ...metadata, creationTimestamp: created },
      spec: { nodeName: 'node-a', taskName: 'web', secretSHA256: digest, ...spec },
    });
    return path;
  }

  readonly client = {
    getTimed: async (path: string) => {
      this.reads += 1;
      await Promise.resolve();
      return { value: this.#find(path), serverNowMs: this.nowMs };
    },
    get: async (path: string) => {
      await Promise.resolve();
      return this.#find(path);
    },
    apply: async (path: string, body: { status: Record<string, unknown> }) => {
      await Promise.resolve();
      const object = this.#find(path.replace(/\/status$/, ''));
      this.#version += 1;
      object.status = body.status;
      return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    },
    delete: async (path: string) => {
      await Promise.resolve();
      this.#find(path);
      this.objects.delete(path);
    },
  } as unknown as KubernetesClient;

  #find(path: string): Stored {
    const object = this.objects.get(path);
    if (!object) throw new KubernetesError({ what: path, status: 404, reason: 'NotFound', said: 'not found' });
    return object;
  }
}

interface Setting {
  readonly node: FakeNode;
  readonly server: Server;
  readonly records: MemoryRecords<SessionRecord>;
  readonly sessions: Sessions;
}

/** An agent; the next one when it is given the setting of a former. */
async function setting(before?: Setting, recordings: Recordings = noRecordings): Promise<Setting> {
  const node = before?.node ?? (await recoveredNode());
  const server = before?.server ?? new Server();
  const records = before?.records ?? new MemoryRecords<SessionRecord>();
  const source = new FakeSource();
  source.put(nodeTask('web'));
  const { manager: tasks, clock } = node;
  const containers = new ContainerStore({ records: new MemoryRecords(), clock, onChange: () => {} });
  const sessions = new Sessions({
    ...{ source, tasks, containers, clock, records, recordings, log: silentLog() },
    client: server.client,
    logs: { read: readLog },
    nodeName: 'node-a',
  });
  await sessions.start();
  return { node, server, records, sessions };
}

// One line, and with `follow` silence until somebody has enough.
async function* readLog(_ref: unknown, options: { follow: boolean; signal: AbortSignal }): AsyncGenerator<LogLine> {
  yield { time: 'T', stream: 'stdout', data: Buffer.from('a line\n') };
  if (!options.follow || options.signal.aborted) return;
  await new Promise<void>((resolve) => options.signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** A client with its ticket: what it was sent, how to leave, and the end of its session. */
function come(sessions: Sessions, name: string, more: Partial<SessionTicket> & { readonly secretText?: string } = {}) {
  const leave = new AbortController();
  const sent: SessionOutput[] = [];
  const { secretText = 'right', ...rest } = more;
  const ticket = {
    ...{ kind: 'NodeTaskLogSession', namespace: 'default', name, uid: `uid-${name}` },
    ...{ secret: Buffer.from(secretText), ...rest },
  };
  const input = { next: () => new Promise<never>(() => {}) };
  const done = sessions.open(ticket, {
    input,
    send: (output) => {
      sent.push(output);
      return Promise.resolve();
    },
    signal: leave.signal,
  });
  done.catch(() => {});
  return { sent, done, leave: () => leave.abort(new Error('gone')) };
}

async function turns(count = 50): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const follow = { logs: { follow: true } };

describe('sessions', () => {
  it('serve whoever shows the secret, once, and tell how it went', async () => {
    const { sessions, server } = await setting();
    const path = server.put('log', 'a');
    const first = come(sessions, 'a');
    await first.done;
    expect(first.sent.map(({ kind }) => kind)).toEqual(['started', 'log']);
    await turns();
    expect(server.objects.get(path)?.status).toMatchObject({ state: 'Succeeded', reason: 'Completed' });
    await expect(come(sessions, 'a').done).rejects.toThrow('has been used');
    await sessions[Symbol.asyncDispose]();
  });

  it('end when the agent goes, and say so', async () => {
    const { sessions, server } = await setting();
    server.put('log', 'a');
    const open = come(sessions, 'a', follow);
    await turns();
    const gone = sessions[Symbol.asyncDispose]();
    await expect(open.done).rejects.toThrow('the agent is stopping');
    await gone;
    await sessions[Symbol.asyncDispose]();
  });
});
