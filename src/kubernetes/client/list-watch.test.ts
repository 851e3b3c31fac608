import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { failure, list, OpenWatch, ScriptedServer } from '../../../test/support/scripted-server.ts';
import { KubernetesClient } from './client.ts';
import { noClientMetrics } from './client-metrics.ts';
import { ListWatch } from './list-watch.ts';
import { Store } from './store.ts';
import { Transport } from './transport.ts';

const path = '/apis/runlet.dev/v1alpha1/nodetasks';
const fieldSelector = 'spec.nodeName=a';

function object(name: string, resourceVersion: string, uid = `uid-${name}`, nodeName = 'a') {
  return { metadata: { name, namespace: 'ns', uid, resourceVersion, managedFields: ['much'] }, spec: { nodeName } };
}

describe('ListWatch', () => {
  let server: ScriptedServer;
  let transport: Transport;
  let clock: ManualClock;
  let store: Store;
  let changes: string[];
  let ends: string[];
  let heard: string[];
  let stop: AbortController;
  let running: Promise<void>;

  beforeEach(async () => {
    server = await ScriptedServer.start();
    clock = new ManualClock();
    transport = new Transport({ access: { server: server.url, insecure: false }, clock });
    changes = [];
    ends = [];
    heard = [];
    store = new Store({
      accept: (found) => (found['spec'] as { readonly nodeName: string }).nodeName === 'a',
      onChange: (key) => changes.push(key),
      onSynced: () => changes.push('synced'),
    });
    const listWatch = new ListWatch({
      client: new KubernetesClient({ transport, clock }),
      name: 'nodetasks',
      selection: { path, fieldSelector },
      listener: store,
      clock,
      log: silentLog(),
      metrics: {
        ...noClientMetrics,
        watchEnded: (_name, why) => ends.push(why),
        watchEvent: (_name, type) => heard.push(type),
      },
    });
    stop = new AbortController();
    running = listWatch.run(stop.signal);
  });

  afterEach(async () => {
    stop.abort();
    await running;
    await transport[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** Waits until it is so; network and promises only, never the clock. */
  async function until(good: () => boolean): Promise<void> {
    const end = performance.now() + 15_000;
    while (!good()) {
      if (performance.now() > end) throw new Error(`never: ${good.toString()}; ${JSON.stringify({ changes, ends })}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Turns the clock on until a request more has come. */
  async function nextRequest(): Promise<void> {
    const seen = server.requests.length;
    await until(() => {
      if (server.requests.length > seen) return true;
      clock.advance(100);
      return false;
    });
  }

  it('lists page by page, then watches from the version of the list', async () => {
    const watch = new OpenWatch();
    server.reply(list('9', [object('x', '5')], 'more'), list('10', [object('y', '7')]), watch.reply);
    await until(() => server.requests.length === 3);
    expect(changes).toEqual(['ns/x', 'ns/y', 'synced']);
    expect(server.requests.map(({ query }) => query)).toEqual([
      { limit: '500', fieldSelector },
      { limit: '500', fieldSelector, continue: 'more' },
      { watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: '450', resourceVersion: '10', fieldSelector },
    ]);
    expect(store.get('ns/x')?.metadata).not.toHaveProperty('managedFields');
  });

  it('follows what the watch says, and goes on from a bookmark when the watch ends', async () => {
    const [first, second] = [new OpenWatch(), new OpenWatch()];
    server.reply(list('10', [object('x', '5')]), first.reply, second.reply);
    await first.event('ADDED', object('y', '11'));
    await first.event('MODIFIED', object('x', '12'));
    await first.event('DELETED', object('y', '13'));
    await first.event('BOOKMARK', { metadata: { resourceVersion: '77' } });
    await until(() => changes.length === 5);
    expect(changes).toEqual(['ns/x', 'synced', 'ns/y', 'ns/x', 'ns/y']);
    clock.advance(60_000);
    await first.end();
    await until(() => server.requests.length === 3);
    expect(server.requests[2]?.query).toMatchObject({ watch: '1', resourceVersion: '77' });
    expect(store.keys()).toEqual(['ns/x']);
    expect(ends).toEqual(['timeout']);
  });

  it('lists from the beginning when the server was set back to an earlier version', async () => {
    const behind = failure(504, 'Timeout', 'Too large resource version: 10, current: 4', { 'retry-after': '1' });
    const watch = new OpenWatch();
    server.reply(list('10', [object('x', '5')]), failure(410, 'Expired', 'too old'), behind, behind, behind);
    server.reply(list('4', [object('y', '3')]), watch.reply);
    while (server.requests.length < 7) await nextRequest();
    expect(server.requests.slice(2).map(({ query }) => query['resourceVersion'])).toEqual([
      ...['10', '10', '10'],
      ...[undefined, '4'],
    ]);
    expect(store.keys()).toEqual(['ns/y']);
  });

  it('waits before it asks again a server that ends watches at once', async () => {
    const watch = new OpenWatch();
    server.reply(list('10', []), watch.reply);
    await watch.end();
    await until(() => ends.length === 1 && clock.pending > 0);
    clock.advance(500);
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.requests).toHaveLength(2);
    await nextRequest();
    expect(server.requests[2]?.query).toMatchObject({ watch: '1', resourceVersion: '10' });
  });

  it('drops half a line when a watch is cut, and hears the event on the next watch', async () => {
    const [first, second] = [new OpenWatch(), new OpenWatch()];
    server.reply(list('10', []), first.reply, second.reply);
    const line = JSON.stringify({ type: 'ADDED', object: object('x', '11') });
    await first.say(line.slice(0, 40));
    await first.cut();
    await nextRequest();
    expect(server.requests[2]?.query).toMatchObject({ watch: '1', resourceVersion: '10' });
    await second.say(line.slice(0, 30));
    await second.say(`${line.slice(30)}\n`);
    await until(() => store.get('ns/x') !== undefined);
    expect(ends).toEqual(['cut']);
  });

  it.each(['as the answer', 'as an event'])('lists again when the version has expired, said %s', async (how) => {
    const watch = new OpenWatch();
    const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
    server.reply(list('10', [object('x', '5'), object('y', '6')]));
    server.reply(how === 'as an event' ? watch.reply : failure(410, 'Expired', 'too old resource version'));
    if (how === 'as an event') await watch.event('ERROR', gone);
    server.reply(list('90', [object('y', '6'), object('z', '80')]), new OpenWatch().reply);
    await until(() => ends.length === 1);
    await nextRequest();
    await until(() => store.get('ns/z') !== undefined);
    expect(server.requests[2]?.query).toEqual({
      limit: '500',
      fieldSelector,
      resourceVersion: '10',
      resourceVersionMatch: 'NotOlderThan',
    });
    expect(changes).toEqual(['ns/x', 'ns/y', 'synced', 'ns/x', 'ns/z']);
    expect(ends).toEqual(['expired']);
  });

  it('begins a list anew whose pages have expired, and one that the server is too far behind for', async () => {
    server.reply(list('9', [object('x', '5')], 'more'), failure(410, 'Expired', 'the continue token is too old'));
    server.reply(list('10', [object('y', '7')]), failure(410, 'Expired', 'gone'));
    await until(() => ends.length === 1);
    expect(store.keys()).toEqual(['ns/y']);
    server.reply(failure(504, 'Timeout', 'Too large resource version'), list('3', []), new OpenWatch().reply);
    await nextRequest();
    await until(() => server.requests.length === 7);
    expect(server.requests[5]?.query).toEqual({ limit: '500', fieldSelector });
    expect(server.requests[6]?.query).toMatchObject({ watch: '1', resourceVersion: '3' });
  });

  it('filters itself where the server cannot select', async () => {
    const watch = new OpenWatch();
    server.reply(failure(400, 'BadRequest', 'field label not supported: spec.nodeName'));
    server.reply(list('10', [object('x', '5'), object('other', '6', 'u', 'b')]), watch.reply);
    await watch.event('ADDED', object('other2', '11', 'u2', 'b'));
    await watch.event('ADDED', object('y', '12'));
    await until(() => store.get('ns/y') !== undefined);
    expect(changes).toEqual(['ns/x', 'synced', 'ns/y']);
    expect(server.requests[2]?.query).not.toHaveProperty('fieldSelector');
  });

  it('gives up a watch that has been silent for too long, and goes on from where it was', async () => {
    const watch = new OpenWatch();
    server.reply(list('10', []), watch.reply);
    await watch.event('BOOKMARK', { metadata: { resourceVersion: '44' } });
    await until(() => heard.length === 1);
    clock.advance(149_000);
    expect(ends).toEqual([]);
    clock.advance(2000);
    await until(() => ends.length === 1);
    expect(ends).toEqual(['silence']);
    await nextRequest();
    expect(server.requests[2]?.query).toMatchObject({ watch: '1', resourceVersion: '44' });
  });

  it('keeps what it knows while the server fails, waits longer each time, and no less than the server asks', async () => {
    server.reply(list('10', [object('x', '5')]), failure(500, 'InternalError', 'no'), failure(503, '', 'no'));
    await until(() => ends.length === 1);
    await nextRequest();
    await until(() => ends.length === 2);
    server.reply(failure(429, 'TooManyRequests', 'no', { 'retry-after': '90' }));
    await nextRequest();
    await until(() => ends.length === 3 && clock.pending > 0);
    const before = clock.monotonicMs();
    server.reply(new OpenWatch().reply);
    await nextRequest();
    expect(clock.monotonicMs() - before).toBeGreaterThanOrEqual(90_000);
    expect(store.keys()).toEqual(['ns/x']);
    expect(changes).toEqual(['ns/x', 'synced']);
  });

  it('takes an event that makes no sense for a fault, not for a change', async () => {
    const watch = new OpenWatch();
    server.reply(list('10', [object('x', '5')]), watch.reply);
    await watch.event('DELETED', { metadata: { name: 'x' } });
    await until(() => ends.length === 1);
    expect(store.keys()).toEqual(['ns/x']);
  });

  it('tells of an object that went and came again under the same name', async () => {
    server.reply(list('10', [object('x', '5', 'old')]), failure(410, 'Expired', 'gone'));
    await until(() => ends.length === 1);
    server.reply(list('20', [object('x', '15', 'new')]), new OpenWatch().reply);
    await nextRequest();
    await until(() => store.get('ns/x')?.metadata.uid === 'new');
    expect(changes).toEqual(['ns/x', 'synced', 'ns/x']);
  });
});
