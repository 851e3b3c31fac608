import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { ContainerStore } from '#task/containers.ts';
import { FakeSource, nodeTask } from '../../../test/support/fake-source.ts';
import { MemoryRecords } from '../../../test/support/reconciling.ts';
import { recoveredNode, type FakeNode } from '../../../test/support/tasks.ts';
import type { KubernetesClient } from '../client/client.ts';
import { toKubernetesError } from '../client/kubernetes-error.ts';
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
    if (!object) {
      const body = { kind: 'Status', reason: 'NotFound', message: 'not found', details: { name: 'it', kind: 'x' } };
      throw toKubernetesError(path, { status: 404, body: JSON.stringify(body) });
    }
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

  it('are let in one at a time: of two who show the same secret at once, one is', async () => {
    const { sessions, server } = await setting();
    server.put('log', 'a');
    const both = [come(sessions, 'a'), come(sessions, 'a')];
    const ends = await Promise.allSettled(both.map(({ done }) => done));
    expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await sessions[Symbol.asyncDispose]();
  });

  it.each([
    ['a wrong secret', { secretText: 'wrong' }, {}, 'the secret is not that of', 'WrongSecret'],
    ['a task that is not there', {}, { taskName: 'none' }, 'there is no NodeTask default/none', 'TaskNotFound'],
    ['a task of another UID', {}, { taskUID: 'x' }, 'is another one than spec.taskUID', 'TaskNotFound'],
    ['a specification that is wrong', {}, { startDeadlineSeconds: 0 }, 'spec.startDeadlineSeconds', 'InvalidSpec'],
  ])('refuse %s, and say why', async (_what, ticket, spec, message, reason) => {
    const { sessions, server } = await setting();
    const path = server.put('log', 'a', spec);
    const refused = come(sessions, 'a', ticket);
    await expect(refused.done).rejects.toThrow(message);
    expect(refused.sent).toEqual([]);
    await turns();
    expect(server.objects.get(path)?.status).toMatchObject({ state: 'Failed', reason });
    await expect(come(sessions, 'a').done).rejects.toThrow('has been used');
    await sessions[Symbol.asyncDispose]();
  });

  it('refuse what is unknown, for another node or too late by the server’s clock', async () => {
    const { sessions, server } = await setting();
    server.put('log', 'elsewhere', { nodeName: 'node-b' });
    const late = server.put('log', 'late', { startDeadlineSeconds: 5 });
    await expect(come(sessions, 'none').done).rejects.toThrow('there is no such session');
    await expect(come(sessions, 'late', { uid: 'another' }).done).rejects.toThrow('there is no such session');
    await expect(come(sessions, 'late', { kind: 'Pod' }).done).rejects.toThrow('there is no such session');
    await expect(come(sessions, 'elsewhere').done).rejects.toThrow(
      'is for node node-b, and this is the agent of node-a',
    );
    server.nowMs += 7000;
    await expect(come(sessions, 'late').done).rejects.toThrow('was to be opened within 5 s');
    await turns();
    expect(server.objects.get(late)?.status).toMatchObject({ reason: 'StartDeadlineExceeded' });
    await sessions[Symbol.asyncDispose]();
  });

  it('end with their object, and tell the client', async () => {
    const { sessions, server, node } = await setting();
    const path = server.put('log', 'a');
    const open = come(sessions, 'a', follow);
    await turns();
    expect(server.objects.get(path)?.status).toMatchObject({ state: 'Running' });
    server.objects.delete(path);
    node.clock.advance(6000);
    await expect(open.done).rejects.toThrow('the object a was deleted');
    await sessions[Symbol.asyncDispose]();
  });

  it('end when their client leaves', async () => {
    const { sessions, server } = await setting();
    const path = server.put('log', 'a');
    const open = come(sessions, 'a', follow);
    await turns();
    open.leave();
    await open.done;
    await turns();
    expect(server.objects.get(path)?.status).toMatchObject({ state: 'Succeeded', reason: 'Detached' });
    await sessions[Symbol.asyncDispose]();
  });

  it('are deleted when their time is over, and forgotten then', async () => {
    const { sessions, server, node, records } = await setting();
    server.put('log', 'a', { ttlSecondsAfterFinished: 10 });
    await come(sessions, 'a').done;
    await turns();
    node.clock.advance(9000);
    await turns();
    expect(server.objects.size).toBe(1);
    node.clock.advance(2000);
    await turns();
    expect([server.objects.size, records.values.size]).toEqual([0, 0]);
    await sessions[Symbol.asyncDispose]();
  });

  it('that a killed agent left open are unknown to the next one, which lets nobody in again', async () => {
    const before = await setting();
    const path = before.server.put('log', 'a');
    come(before.sessions, 'a', follow);
    await turns();
    const after = await setting(before);
    await turns();
    expect(after.server.objects.get(path)?.status).toMatchObject({ state: 'Unknown', reason: 'AgentStopped' });
    await expect(come(after.sessions, 'a').done).rejects.toThrow('has been used');
    await after.sessions[Symbol.asyncDispose]();
  });
});
