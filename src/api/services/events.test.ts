import { once } from 'node:events';
import { connect } from 'node:http2';
import { createConnection } from 'node:net';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/node.ts';
import { startApi, type TestApi } from '../../../test/support/api.ts';
import { createTask } from '../../../test/support/tasks.ts';
import { inNamespace, unary } from '../client.ts';
import { TaskExit, TaskStart } from '../gen/containerd/events/events.ts';
import { SubscribeRequest, type Envelope } from '../gen/containerd/services/events/v1/events.ts';

const metadata = inNamespace('default');

/** Subscribes, and waits until the subscription counts: an event of our own has come. */
async function listen({ client: { events } }: TestApi, ...filters: string[]) {
  const heard: Envelope[] = [];
  const probes = new Set<string>();
  let failure: unknown;
  const stream = events.subscribe({ filters: filters.length > 0 ? [...filters, 'topic~=^.probe'] : [] });
  stream.on('data', (envelope: Envelope) => {
    if (envelope.topic.startsWith('/probe/')) probes.add(envelope.topic);
    else heard.push(envelope);
  });
  stream.on('error', (error: unknown) => void (failure = error));
  await eventually(
    async () => {
      const event = { typeUrl: 'x', value: Buffer.alloc(0) };
      await unary(events.publish.bind(events), { topic: '/probe/p', event }, { metadata });
      return probes.size;
    },
    (count) => count > 0,
    'the subscription begins',
  );
  return { heard, failure: () => failure, [Symbol.dispose]: () => stream.cancel() };
}

describe('events', () => {
  it('come in order, with containerd’s topics and types', async () => {
    await using api = await startApi();
    using subscriber = await listen(api);
    const task = await api.node.manager.create(createTask('web'));
    await task.start();
    await task.kill(9);
    await eventually(
      () => subscriber.heard.length,
      (count) => count >= 3,
      'three events',
    );
    expect(subscriber.heard.map(({ topic }) => topic)).toEqual(['/tasks/create', '/tasks/start', '/tasks/exit']);
    const [, start, exit] = subscriber.heard;
    expect(start?.event?.typeUrl).toBe('containerd.events.TaskStart');
    expect(TaskStart.decode(start!.event!.value)).toEqual({ containerId: 'web', pid: task.pid });
    expect(TaskExit.decode(exit!.event!.value)).toMatchObject({ id: 'web', containerId: 'web', exitStatus: 137 });
  });

  it('are chosen by topic, namespace and fields of their payload', async () => {
    await using api = await startApi();
    using subscriber = await listen(api, 'topic=="/tasks/exit",event.container_id==b', 'event.id==c');
    for (const id of ['a', 'b', 'c']) {
      const task = await api.node.manager.create(createTask(id));
      await task.start();
      await task.kill(9);
    }
    await eventually(
      () => subscriber.heard.length,
      (count) => count >= 2,
      'two events',
    );
    expect(subscriber.heard.map(({ event }) => TaskExit.decode(event!.value).id)).toEqual(['b', 'c']);
  });

  it.each([
    ['a topic without a slash', 'custom', "must start with '/'"],
    ['a topic with an empty part', '/a//b', 'must match'],
  ])('are not published under %s', async (_what, topic, text) => {
    await using api = await startApi();
    const { events } = api.client;
    await expect(unary(events.publish.bind(events), { topic, event: undefined }, { metadata })).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(text) as string,
    });
  });

  it('are forwarded as they are, and only with their time', async () => {
    await using api = await startApi();
    const { events } = api.client;
    using subscriber = await listen(api);
    const envelope = { namespace: 'other', topic: '/their/own', event: { typeUrl: 'T', value: Buffer.from([7]) } };
    const forward = (timestamp: Envelope['timestamp']) =>
      unary(events.forward.bind(events), { envelope: { ...envelope, timestamp } });
    await expect(forward(undefined)).rejects.toMatchObject({ code: 'invalid-argument' });
    await forward({ seconds: 5n, nanos: 1 });
    await eventually(
      () => subscriber.heard.length,
      (count) => count === 1,
      'the event',
    );
    expect(subscriber.heard[0]).toMatchObject({ ...envelope, timestamp: { seconds: 5n, nanos: 1 } });
  });

  it('are no longer kept for a subscriber that does not read, and it is told so', async () => {
    await using api = await startApi({ longestEventQueue: 20 });
    const { events } = api.client;
    // grpc-js reads ahead without a bound, so the client that stalls speaks HTTP/2 itself.
    const session = connect('http://localhost', { createConnection: () => createConnection(api.client.address) });
    const stalled = session.request({
      ':method': 'POST',
      ':path': '/containerd.services.events.v1.Events/Subscribe',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stalled.end(frame(SubscribeRequest.encode({ filters: ['topic=="/load/l"'] }).finish()));
    await once(stalled, 'response');
    const trailers = once(stalled, 'trailers') as Promise<[Readonly<Record<string, string>>]>;
    using subscriber = await listen(api, 'topic=="/load/none"');
    const event = { typeUrl: 'x', value: Buffer.alloc(64 * 1024) };
    // What fits into the connection's windows and buffers of both sides is far less than this.
    for (let count = 0; count < 300; count += 1) {
      await unary(events.publish.bind(events), { topic: '/load/l', event }, { metadata });
    }
    stalled.resume();
    const [{ 'grpc-status': code, 'grpc-message': message }] = await trailers;
    expect(code).toBe('8');
    expect(decodeURIComponent(message ?? '')).toBe('the subscriber is 20 events behind: subscribe again');
    expect(subscriber.failure()).toBeUndefined();
    session.destroy();
  });
});

/** A message as gRPC frames it: not compressed, its length, itself. */
function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
