import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { scriptedApi, until, type ScriptedApi } from '../../../test/support/api-client.ts';
import { failure, json, type Reply } from '../../../test/support/scripted-server.ts';
import type { KubeObject } from '../client/object.ts';
import { nodeTasks } from './resource.ts';
import { StatusWriter } from './status-writer.ts';

const object = { namespace: 'ns', name: 'x', uid: 'u1' };
const soon = { urgent: false };
const now = { urgent: true };

/** What a server answers that is asked for the object. */
const found = (uid: string, resourceVersion: string) => json({ metadata: { name: 'x', uid, resourceVersion } });

/** What a server answers that has written what it was sent. */
const applied: Reply = (response, request) => {
  const sent = JSON.parse(request.body) as { readonly metadata: object };
  json({ ...sent, metadata: { ...sent.metadata, resourceVersion: '8' } })(response, request);
};

const detailed = (state: string) => ({
  state,
  lastTermination: { oomKills: 1, exitStatus: 1 },
  conditions: [{ type: 'Ready', observedGeneration: 3 }],
});

describe('StatusWriter', () => {
  let api: ScriptedApi;
  let known: KubeObject | undefined;
  let writer: StatusWriter;

  beforeEach(async () => {
    api = await scriptedApi();
    known = { metadata: { name: 'x', uid: 'u1', resourceVersion: '7' } };
    const { client, clock } = api;
    writer = new StatusWriter({
      client,
      clock,
      resource: nodeTasks,
      log: silentLog(),
      known: ({ uid }) => (uid === 'u1' ? known : undefined),
    });
  });

  afterEach(async () => {
    await writer[Symbol.asyncDispose]();
    await api[Symbol.asyncDispose]();
  });

  const bodies = () =>
    api.server.requests
      .filter(({ method }) => method === 'PATCH')
      .map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  const states = () => bodies().map(({ status }) => (status as { readonly state: string }).state);
  const written = async (count: number) => {
    await until(() => api.server.requests.length === count, `request ${count}`);
    await until(() => writer.waiting === 0 || api.clock.pending > 0, 'the answer');
  };

  it('applies the status with the UID, as its own field manager', async () => {
    api.server.reply(applied);
    writer.write(object, { state: 'Running' }, now);
    await written(1);
    expect(api.server.requests[0]).toMatchObject({
      method: 'PATCH',
      path: '/apis/runlet.dev/v1alpha1/namespaces/ns/nodetasks/x/status',
      query: { fieldManager: 'runlet-agent', force: 'true' },
    });
    expect(bodies()).toEqual([
      {
        apiVersion: 'runlet.dev/v1alpha1',
        kind: 'NodeTask',
        metadata: { namespace: 'ns', name: 'x', uid: 'u1', resourceVersion: '7' },
        status: { state: 'Running' },
      },
    ]);
  });

  it('writes the newest only, once a second at most', async () => {
    api.server.reply(applied, applied);
    writer.write(object, { state: 'A' }, now);
    await written(1);
    writer.write(object, { state: 'B' }, soon);
    writer.write(object, { state: 'C' }, soon);
    api.clock.advance(999);
    await until(() => true);
    expect(states()).toEqual(['A']);
    api.clock.advance(1);
    await written(2);
    expect(states()).toEqual(['A', 'C']);
  });

  it('writes once more what somebody else has written over, not sooner than a second after the last time', async () => {
    api.server.reply(applied, applied);
    writer.contradicted(object);
    writer.write(object, { state: 'Running' }, now);
    await written(1);
    writer.contradicted({ ...object, uid: 'u2' });
    api.clock.advance(60_000);
    writer.write(object, { state: 'Running' }, now);
    await until(() => writer.waiting === 0);
    expect(states()).toEqual(['Running']);
    known = { metadata: { name: 'x', uid: 'u1', resourceVersion: '9' }, status: { state: 'Running' } };
    writer.contradicted(object);
    await written(2);
    expect(bodies()[1]).toMatchObject({ metadata: { resourceVersion: '9' }, status: { state: 'Running' } });
    writer.contradicted(object);
    api.clock.advance(999);
    await until(() => true);
    expect(states()).toHaveLength(2);
    api.server.reply(applied);
    api.clock.advance(1);
    await written(3);
  });

  it('writes once more what was written over while it was being written', async () => {
    writer.write(object, { state: 'Running' }, now);
    await until(() => api.server.requests.length === 1, 'the request');
    writer.contradicted(object);
    api.server.reply(applied, applied);
    await until(() => {
      api.clock.advance(100);
      return api.server.requests.length === 2;
    }, 'the same once more');
    expect(states()).toEqual(['Running', 'Running']);
  });

  it('writes an end at once', async () => {
    api.server.reply(applied, applied);
    writer.write(object, { state: 'A' }, now);
    await written(1);
    writer.write(object, { state: 'Stopped' }, now);
    await written(2);
    expect(states()).toEqual(['A', 'Stopped']);
  });

  it('lets the first status wait for a better one, which is written in its place', async () => {
    api.server.reply(applied);
    writer.write(object, { state: 'Pending' }, soon);
    api.clock.advance(1999);
    writer.write(object, { state: 'Running' }, now);
    await written(1);
    api.clock.advance(60_000);
    await until(() => api.clock.pending === 0 && writer.waiting === 0);
    expect(states()).toEqual(['Running']);
  });

  it('writes the first status when no better one comes', async () => {
    api.server.reply(applied);
    writer.write(object, { state: 'Pending' }, soon);
    api.clock.advance(2000);
    await written(1);
    expect(states()).toEqual(['Pending']);
  });

  it('writes nothing that stands there already, in whatever order its fields are', async () => {
    known = {
      metadata: { name: 'x', uid: 'u1', resourceVersion: '1' },
      status: {
        state: 'A',
        conditions: [
          { type: 'B', status: 'True' },
          { type: 'A', status: 'True' },
        ],
      },
    };
    const same = {
      conditions: [
        { status: 'True', type: 'A' },
        { type: 'B', status: 'True' },
      ],
      state: 'A',
      pid: undefined,
    };
    writer.write(object, same, now);
    api.server.reply(found('u2', '9'), applied);
    writer.write({ ...object, name: 'other', uid: 'u2' }, { state: 'Z' }, now);
    await written(2);
    expect(states()).toEqual(['Z']);
  });

  it('takes what stands there of an object of the same name for nothing', async () => {
    known = { metadata: { name: 'x', uid: 'older', resourceVersion: '1' }, status: { state: 'A' } };
    api.server.reply(found('u1', '9'), applied);
    writer.write(object, { state: 'A' }, now);
    await written(2);
    expect(bodies()).toMatchObject([{ metadata: { resourceVersion: '9' }, status: { state: 'A' } }]);
  });

  it('asks for the version when somebody else wrote in between, and goes on from what it wrote itself', async () => {
    api.server.reply(failure(409, 'Conflict', 'the object has been modified'), found('u1', '20'), applied, applied);
    writer.write(object, { state: 'A' }, now);
    await until(() => {
      api.clock.advance(50);
      return writer.waiting === 0;
    });
    writer.write(object, { state: 'B' }, now);
    await written(4);
    expect(bodies().map(({ metadata }) => (metadata as KubeObject['metadata']).resourceVersion)).toEqual([
      '7',
      '20',
      '8',
    ]);
  });

  it('goes on from what else the agent wrote, until more is heard', async () => {
    api.server.reply(applied, applied);
    writer.changed(object, { made: '12', heard: '7' });
    writer.write(object, { state: 'A' }, now);
    await written(1);
    known = { metadata: { name: 'x', uid: 'u1', resourceVersion: '30' } };
    writer.changed(object, { made: '20', heard: '7' });
    writer.write(object, { state: 'B' }, now);
    await written(2);
    expect(bodies().map(({ metadata }) => (metadata as KubeObject['metadata']).resourceVersion)).toEqual(['12', '30']);
  });

  it('never writes an object that has taken the name', async () => {
    api.server.reply(failure(409, 'Conflict', 'the object has been modified'), found('u2', '20'));
    writer.write(object, { state: 'A' }, now);
    await until(() => {
      api.clock.advance(50);
      return writer.waiting === 0;
    });
    expect(api.server.requests.map(({ method }) => method)).toEqual(['PATCH', 'GET']);
  });

  it('tries again until it has worked, then with the newest', async () => {
    api.server.reply(failure(500, 'InternalError', 'no'));
    writer.write(object, { state: 'A' }, now);
    await written(1);
    writer.write(object, { state: 'B' }, soon);
    api.server.reply(applied);
    await until(() => {
      api.clock.advance(50);
      return writer.waiting === 0;
    });
    expect(states()).toEqual(['A', 'B']);
  });

  it('gives up when the object is gone', async () => {
    api.server.reply(failure(404, 'NotFound', 'not found'));
    writer.write(object, { state: 'A' }, now);
    await until(() => api.server.requests.length === 1 && writer.waiting === 0);
    expect(api.clock.pending).toBe(0);
  });

  it('notices what an old server drops without a word', async () => {
    api.server.reply((response, request) => {
      const sent = JSON.parse(request.body) as KubeObject;
      json({ metadata: sent.metadata, status: { state: 'A', conditions: [{ type: 'Ready' }] } })(response, request);
    });
    writer.write(object, { state: 'A', pid: 7, resources: {}, conditions: [{ type: 'Ready', reason: 'R' }] }, now);
    await until(() => writer.undeclared.length > 0);
    expect(writer.undeclared).toEqual(['status.pid', 'status.conditions[].reason']);
  });

  it('leaves out what the CRD of the cluster does not declare, at once and from then on', async () => {
    const said =
      'failed to create typed patch object: errors:\n  .status.lastTermination.oomKills: field not declared in schema\n' +
      '  .status.conditions[type="Ready"].observedGeneration: field not declared in schema';
    api.server.reply(failure(500, '', said), applied, applied);
    writer.write(object, detailed('A'), now);
    await written(2);
    writer.write(object, detailed('B'), now);
    await written(3);
    const kept = { lastTermination: { exitStatus: 1 }, conditions: [{ type: 'Ready' }] };
    expect(
      bodies()
        .slice(1)
        .map((body) => body['status']),
    ).toEqual([
      { state: 'A', ...kept },
      { state: 'B', ...kept },
    ]);
    expect(writer.undeclared).toEqual(['status.lastTermination.oomKills', 'status.conditions[].observedGeneration']);
  });

  it('forgets an object that is gone', async () => {
    api.server.reply(failure(500, 'InternalError', 'no'));
    writer.write(object, { state: 'A' }, now);
    await written(1);
    await until(() => api.clock.pending > 0);
    writer.forget('ns/x');
    api.clock.advance(3_600_000);
    await until(() => writer.waiting === 0);
    expect(api.server.requests).toHaveLength(1);
  });
});
