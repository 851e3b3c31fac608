import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { fastClock } from '../support/fast-clock.ts';
import { FaultProxy, type ProxiedRequest } from '../support/fault-proxy.ts';
import { eventually } from '../support/node.ts';
import { startSimulatedAgent } from '../support/simulated-agent.ts';

const namespace = 'team-a';
const objects = `/apis/runlet.dev/v1alpha1/namespaces/${namespace}/nodetasks`;

/** What an API server pays for a node: each request here is paid for by every node of a cluster. */
describe('the requests of an agent', () => {
  let server: ApiServer;
  let proxy: FaultProxy;
  let folder: string;
  /** Each try has a node and names of its own. */
  let serial = 0;

  beforeAll(async () => {
    server = await startApiServer({ kind: 'modern' });
    const certificate = server.authority.sign('proxy', '/CN=proxy');
    proxy = await FaultProxy.start({ target: server.url, targetCa: server.caFile, certificate });
    folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
    const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' };
    await server.request('POST', '/api/v1/namespaces', { metadata: { name: namespace, labels } });
  });

  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    if (folder) rmSync(folder, { recursive: true });
  });

  /** An agent whose waits are shorter by a factor, and what it asks. */
  async function startAgent(factor: number) {
    serial += 1;
    const nodeName = `node-${serial}`;
    const kubeconfig = server.kubeconfig(admin, proxy.url);
    proxy.requests.length = 0;
    const agent = await startSimulatedAgent({ nodeName, kubeconfig, folder, clock: fastClock(factor) });
    await eventually(
      () => proxy.requests.filter(({ isWatch }) => isWatch).length,
      (watches) => watches === 4,
      'it watches its four kinds',
    );
    return { nodeName, [Symbol.asyncDispose]: async () => await agent[Symbol.asyncDispose]() };
  }

  async function create(name: string, nodeName: string): Promise<void> {
    const spec = { nodeName, image: 'registry.test/app:1', command: ['forever'], stopSignal: 'KILL' };
    const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name, namespace }, spec };
    expect((await server.request('POST', objects, object)).status).toBe(201);
  }

  const patch = async (name: string, spec: object) =>
    await server.request('PATCH', `${objects}/${name}`, { spec }, 'application/merge-patch+json');

  async function reaches(name: string, state: string | undefined): Promise<void> {
    const look = async () =>
      (await server.request('GET', `${objects}/${name}`)).body as { status?: { state?: string } };
    await eventually(look, ({ status }) => status?.state === state, `${name} is ${state}`);
  }

  it('are one list and one watch for each kind at its start, by its node’s name', async () => {
    await using agent = await startAgent(1);
    const asked = proxy.requests.map(({ method, query, isWatch }) => {
      return `${method} ${isWatch ? 'watch' : 'list'} ${query['fieldSelector']}`;
    });
    expect(asked.toSorted()).toEqual([
      ...four(`GET list spec.nodeName=${agent.nodeName}`),
      ...four(`GET watch spec.nodeName=${agent.nodeName}`),
    ]);
  });

  it('are few for the whole life of a task', async () => {
    // Slower by a factor: what waits for a better one to come waits also where each step takes long.
    await using agent = await startAgent(0.2);
    const name = `life-${serial}`;
    proxy.requests.length = 0;
    await create(name, agent.nodeName);
    await reaches(name, 'Running');
    for (const state of ['Paused', 'Running']) {
      await patch(name, { runState: state });
      await reaches(name, state);
    }
    await server.request('DELETE', `${objects}/${name}`);
    await reaches(name, undefined);
    const events = () => proxy.requests.filter(({ path }) => path.endsWith('/events'));
    await eventually(
      () => events().length,
      (count) => count >= 5,
      'it has told of the stop',
    );
    const counts = Map.groupBy(proxy.requests, kindOf);
    const count = (kind: string) => counts.get(kind)?.length ?? 0;
    expect(count('PATCH object'), 'the finalizer, on and off').toBe(2);
    // A second one where the server had another version by then than the watch had told of.
    expect(count('PATCH status'), 'Running, Paused, Running').toBeLessThanOrEqual(4);
    expect(count('POST events'), 'Created, Started, Paused, Resumed, Stopping').toBeLessThanOrEqual(6);
    expect(count('GET namespace')).toBe(1);
    expect(proxy.requests.length, JSON.stringify(proxy.requests.map(kindOf))).toBeLessThanOrEqual(14);
  });

  it('are none but for watches in minutes in which nothing happens', async () => {
    const minutes = 5;
    const factor = 100;
    await using agent = await startAgent(factor);
    const names = Array.from({ length: 10 }, (_, at) => `idle-${serial}-${at}`);
    for (const name of names) await create(name, agent.nodeName);
    for (const name of names) await reaches(name, 'Running');
    const told = () => proxy.requests.filter(({ path }) => path.endsWith('/events')).length;
    await eventually(told, (events) => events === 2 * names.length, 'all events have been told');
    proxy.requests.length = 0;
    await delay((minutes * 60_000) / factor);
    // The server's bookmarks do not come faster: watches that say nothing are begun anew.
    expect(proxy.requests.map(kindOf).filter((kind) => kind !== 'watch')).toEqual([]);
  });
});

const four = (what: string) => Array.from({ length: 4 }, () => what);

function kindOf({ method, path, isWatch }: ProxiedRequest): string {
  if (isWatch) return 'watch';
  if (path.endsWith('/events')) return `${method} events`;
  if (path.endsWith('/status')) return `${method} status`;
  return `${method} ${path.includes('/nodetasks') ? 'object' : 'namespace'}`;
}
