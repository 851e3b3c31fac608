import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scriptedApi, type ScriptedApi } from '../../../test/support/api-client.ts';
import { failure, json } from '../../../test/support/scripted-server.ts';
import type { KubeObject } from '../client/object.ts';
import { ObjectWriter } from './object-writer.ts';
import { nodeTasks } from './resource.ts';

const object = { namespace: 'ns', name: 'x', uid: 'u1' };
const path = '/apis/runlet.dev/v1alpha1/namespaces/ns/nodetasks/x';

function asHeard(resourceVersion: string, finalizers?: readonly string[], uid = 'u1', more: object = {}): KubeObject {
  return {
    metadata: { name: 'x', namespace: 'ns', uid, resourceVersion, ...(finalizers ? { finalizers } : {}), ...more },
  };
}

describe('ObjectWriter', () => {
  let api: ScriptedApi;
  let known: KubeObject | undefined;
  let writer: ObjectWriter;

  beforeEach(async () => {
    api = await scriptedApi();
    const { client, clock } = api;
    writer = new ObjectWriter({ client, clock, resource: nodeTasks, known: () => known });
  });

  afterEach(async () => await api[Symbol.asyncDispose]());

  /** Turns the clock until the promise has settled. */
  async function settled<T>(promise: Promise<T>): Promise<T> {
    const state = { done: false };
    void promise.catch(() => {}).finally(() => (state.done = true));
    while (!state.done) {
      api.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return await promise;
  }

  const patches = () =>
    api.server.requests.filter(({ method }) => method === 'PATCH').map(({ body }) => JSON.parse(body) as unknown);

  it('puts its finalizer on with tests of UID and version, beside those of others', async () => {
    known = asHeard('5', ['example.com/a']);
    api.server.reply(json(asHeard('8', ['runlet.dev/cleanup'])));
    expect(await writer.claim(object), 'the version that it made').toBe('8');
    expect(patches()).toEqual([
      [
        { op: 'test', path: '/metadata/uid', value: 'u1' },
        { op: 'test', path: '/metadata/resourceVersion', value: '5' },
        { op: 'add', path: '/metadata/finalizers/-', value: 'runlet.dev/cleanup' },
      ],
    ]);
  });

  it('asks nothing when its finalizer is there', async () => {
    known = asHeard('5', ['runlet.dev/cleanup']);
    expect(await writer.claim(object)).toBeUndefined();
    expect(api.server.requests).toEqual([]);
  });

  it('looks again when somebody else was faster', async () => {
    known = asHeard('5');
    api.server.reply(failure(422, 'Invalid', 'testing path /metadata/resourceVersion value failed'));
    api.server.reply(json(asHeard('6', ['example.com/a'])), json({}));
    await settled(writer.claim(object));
    expect(patches()[1]).toContainEqual({ op: 'test', path: '/metadata/resourceVersion', value: '6' });
  });

  it.each([
    ['is gone', failure(404, 'NotFound', 'no')],
    ['is another one', json(asHeard('9', [], 'u2'))],
    ['is going', json(asHeard('9', [], 'u1', { deletionTimestamp: '2026-01-01T00:00:00Z' }))],
  ])('refuses to claim an object that %s', async (_what, reply) => {
    known = undefined;
    api.server.reply(reply);
    await expect(settled(writer.claim(object))).rejects.toMatchObject({ code: 'unavailable' });
    expect(patches()).toEqual([]);
  });

  it('takes off its own finalizer only, and of nobody who is gone or another', async () => {
    known = asHeard('5', ['example.com/a', 'runlet.dev/cleanup']);
    api.server.reply(json({}), failure(404, 'NotFound', 'no'), json(asHeard('9', ['runlet.dev/cleanup'], 'u2')));
    await writer.release(object);
    known = undefined;
    await writer.release(object);
    await writer.release(object);
    expect(patches()).toHaveLength(1);
    expect(patches()[0]).toContainEqual({ op: 'remove', path: '/metadata/finalizers/1' });
  });

  it('deletes what is as it was heard of, and says when it is not', async () => {
    known = asHeard('5');
    api.server.reply(
      json({}),
      failure(409, 'Conflict', 'the ResourceVersion does not match'),
      failure(404, 'NotFound', ''),
    );
    await writer.delete(object);
    await expect(writer.delete(object)).rejects.toMatchObject({ code: 'unavailable' });
    await writer.delete(object);
    const [request] = api.server.requests;
    expect(request).toMatchObject({ method: 'DELETE', path });
    expect(JSON.parse(request?.body ?? '')).toMatchObject({ preconditions: { uid: 'u1', resourceVersion: '5' } });
  });
});
