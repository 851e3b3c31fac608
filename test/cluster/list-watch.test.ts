import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterAccess } from '#kubernetes/client/access.ts';
import { KubernetesClient } from '#kubernetes/client/client.ts';
import { ListWatch } from '#kubernetes/client/list-watch.ts';
import { Store } from '#kubernetes/client/store.ts';
import { Transport } from '#kubernetes/client/transport.ts';
import { silentLog } from '#log/log.ts';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { makeAuthority } from '../support/certificates.ts';
import { fastClock } from '../support/fast-clock.ts';
import { FaultProxy, type ProxiedRequest } from '../support/fault-proxy.ts';
import { eventually } from '../support/node.ts';

const collection = '/apis/runlet.dev/v1alpha1/nodetasks';
const namespaced = '/apis/runlet.dev/v1alpha1/namespaces/default/nodetasks';

const theWatch = (request: ProxiedRequest) => request.isWatch;
const theList = (request: ProxiedRequest) => !request.isWatch;

async function holds(store: Store, ...names: readonly string[]): Promise<void> {
  const want = names.map((name) => `default/${name}`).toSorted();
  await eventually(
    () => store.keys().toSorted(),
    (keys) => JSON.stringify(keys) === JSON.stringify(want),
    `the store should hold ${want.join(', ')}`,
  );
}

describe.each(['plain', 'modern'] as const)('ListWatch against a %s API server, through a proxy', (kind) => {
  let server: ApiServer;
  let proxy: FaultProxy;
  let node: string;
  let nodes = 0;
  const running: { stop: () => Promise<void> }[] = [];

  beforeAll(async () => {
    server = await startApiServer({ kind, crds: ['nodetasks'] });
  });

  afterAll(async () => await server[Symbol.asyncDispose]());

  beforeEach(async () => {
    nodes += 1;
    node = `node-${nodes}`;
    const certificate = server.authority.sign(`proxy-${nodes}`, '/CN=proxy');
    proxy = await FaultProxy.start({ target: server.url, targetCa: server.caFile, certificate });
  });

  afterEach(async () => {
    for (const { stop } of running.splice(0)) await stop();
    await proxy[Symbol.asyncDispose]();
    await server.kubectl(['delete', 'nodetasks.runlet.dev', '--all', '--wait=false']);
  });

  /** Follows this node's NodeTasks; time that is waited for passes fifty times as fast. */
  function follow(access: Partial<ClusterAccess> = {}): Store {
    const clock = fastClock(50);
    const full = {
      server: proxy.url,
      insecure: false,
      ca: { file: server.caFile },
      token: { text: admin.token },
      ...access,
    };
    const transport = new Transport({ access: full, clock });
    const store = new Store({
      accept: (object) => (object['spec'] as { readonly nodeName: string }).nodeName === node,
      onChange: () => {},
      onSynced: () => {},
    });
    const listWatch = new ListWatch({
      client: new KubernetesClient({ transport, clock }),
      name: 'nodetasks',
      selection: { path: collection, fieldSelector: `spec.nodeName=${node}` },
      listener: store,
      clock,
      log: silentLog(),
    });
    const abort = new AbortController();
    const ended = listWatch.run(abort.signal);
    running.push({
      stop: async () => {
        abort.abort();
        await ended;
        await transport[Symbol.asyncDispose]();
      },
    });
    return store;
  }

  async function create(name: string, nodeName = node): Promise<void> {
    const spec = { nodeName, image: 'busybox:1', command: ['sh'] };
    const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name }, spec };
    const { status, body } = await server.request('POST', namespaced, object);
    expect(status, JSON.stringify(body)).toBe(201);
  }

  async function remove(name: string): Promise<void> {
    expect((await server.request('DELETE', `${namespaced}/${name}`)).status).toBe(200);
  }

  const watching = async () =>
    await eventually(
      () => proxy.requests.some(({ isWatch }) => isWatch),
      (there) => there,
      'a watch',
    );

  /** The next request of the kind meets the fault, later ones do not. */
  function once(which: (request: ProxiedRequest) => boolean, fault: ReturnType<FaultProxy['fault']>): () => boolean {
    let met = false;
    proxy.fault = (request) => {
      if (met || !which(request)) return undefined;
      met = true;
      return fault;
    };
    return () => met;
  }

  it('follows what is created, changed and deleted, and nothing of other nodes', async () => {
    await create('before');
    await create('others', 'elsewhere');
    const store = follow();
    await holds(store, 'before');
    await create('after');
    await holds(store, 'before', 'after');
    await server.request(
      'PATCH',
      `${namespaced}/after`,
      { spec: { runState: 'Paused' } },
      'application/merge-patch+json',
    );
    await eventually(
      () => store.get('default/after')?.['spec'],
      (spec) => (spec as { readonly runState: string }).runState === 'Paused',
      'the change',
    );
    await remove('before');
    await holds(store, 'after');
    const selected = proxy.requests.filter((one) => one.isWatch && 'fieldSelector' in one.query);
    expect(selected.length > 0).toBe(server.modern);
  });

  it('loses nothing when a watch is cut in the middle of a line', async () => {
    const met = once(theWatch, { kind: 'cut in the middle' });
    const store = follow();
    await watching();
    expect(met()).toBe(true);
    await create('cut');
    await holds(store, 'cut');
    expect(proxy.requests.filter((one) => one.isWatch).length).toBeGreaterThan(1);
    expect(proxy.lists(collection)).toBe(server.modern ? 1 : 2);
  });

  it('notices a watch that has fallen silent', async () => {
    once(theWatch, { kind: 'silence' });
    const store = follow();
    await watching();
    await create('silent');
    await holds(store, 'silent');
    expect(proxy.lists(collection)).toBe(server.modern ? 1 : 2);
  });

  it.each([
    ['429', theWatch, { kind: 'answer', status: 429, headers: { 'retry-after': '20' } }],
    ['500', theWatch, { kind: 'answer', status: 500 }],
    ['503 without a body of Kubernetes', theList, { kind: 'answer', status: 503, body: 'no backends' }],
    ['a cut connection', theList, { kind: 'cut' }],
    ['429 at the list', theList, { kind: 'answer', status: 429, headers: { 'retry-after': '1' } }],
  ] as const)('goes on after %s', async (_what, which, fault) => {
    const met = once(which, fault);
    const store = follow();
    await create('next');
    await holds(store, 'next');
    // the list may have told of the object before there was a watch
    expect(await eventually(met, (done) => done, 'the fault is met')).toBe(true);
  });

  it('lists again after 410, and hears then of what went meanwhile', async () => {
    await create('stays');
    await create('goes');
    const store = follow();
    await holds(store, 'stays', 'goes');
    proxy.fault = (request) => (request.isWatch ? { kind: 'cut' } : undefined);
    proxy.cut();
    await remove('goes');
    const before = proxy.lists(collection);
    once(theWatch, {
      kind: 'answer',
      status: 410,
      body: JSON.stringify({ kind: 'Status', code: 410, reason: 'Expired' }),
    });
    await holds(store, 'stays');
    expect(proxy.lists(collection)).toBeGreaterThan(before);
  });

  it('finds its way back after an outage, also to an object of the same name that is another one', async () => {
    await create('same');
    const store = follow();
    await holds(store, 'same');
    const uid = store.get('default/same')?.metadata.uid;
    await watching();
    await proxy.down();
    await remove('same');
    await create('same');
    await create('new');
    await proxy.up();
    await holds(store, 'same', 'new');
    // the list brings both at once, the watch one after the other
    await eventually(
      () => store.get('default/same')?.metadata.uid,
      (now) => now !== uid,
      'another object',
    );
    expect(store.get('default/same')?.metadata.uid).not.toBe(uid);
  });

  it('asks a server that is gone for minutes ever less often, and goes on where it was', async () => {
    await create('before');
    const store = follow();
    await holds(store, 'before');
    await watching();
    const listed = proxy.lists(collection);
    const beganAt = proxy.requests.length;
    proxy.fault = () => ({ kind: 'cut' });
    proxy.cut();
    await create('meanwhile');
    // each wait is longer, up to half a minute: so many tries take more than three
    await eventually(
      () => proxy.requests.length - beganAt,
      (tries) => tries >= 12,
      'tries',
    );
    const began = performance.now();
    const seen = proxy.requests.length;
    await eventually(
      () => proxy.requests.length - seen,
      (tries) => tries >= 3,
      'later tries',
    );
    // three waits of at least 15 s, fifty times as fast
    expect(performance.now() - began).toBeGreaterThan((2 * 15_000) / 50);
    expect(store.keys()).toEqual(['default/before']);
    proxy.fault = () => undefined;
    await holds(store, 'before', 'meanwhile');
    expect(proxy.lists(collection)).toBe(listed);
  });

  it('reads certificates and tokens anew that change in their files', async () => {
    const caFile = join(server.folder, `${node}-ca.crt`);
    const tokenFile = join(server.folder, `${node}-token`);
    copyFileSync(server.caFile, caFile);
    writeFileSync(tokenFile, admin.token);
    const store = follow({ ca: { file: caFile }, token: { file: tokenFile } });
    await create('first');
    await holds(store, 'first');
    const other = makeAuthority(server.folder, `${node}-other`);
    proxy.useCertificate(other.sign(`${node}-proxy`, '/CN=proxy'));
    writeFileSync(tokenFile, 'expired');
    proxy.cut();
    await create('second');
    copyFileSync(other.cert, caFile);
    await eventually(
      () => proxy.requests.length,
      (count) => count > 2,
      'a request with the new certificate',
    );
    expect(store.keys()).toEqual(['default/first']);
    writeFileSync(tokenFile, admin.token);
    await holds(store, 'first', 'second');
  });

  it('goes on after the server was gone and its history compacted', async () => {
    await create('kept');
    await create('lost');
    const store = follow();
    await holds(store, 'kept', 'lost');
    await watching();
    await proxy.down();
    await remove('lost');
    await create('later');
    await server.stop();
    await server.compact();
    await server.start();
    await eventually(
      async () => (await server.request('GET', collection)).status,
      (status) => status === 200,
      'the server serves again',
    );
    await proxy.up();
    await holds(store, 'kept', 'later');
    expect(proxy.lists(collection)).toBeGreaterThan(server.modern ? 1 : 2);
  });
});
