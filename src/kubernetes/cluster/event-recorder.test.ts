import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { scriptedApi, until, type ScriptedApi } from '../../../test/support/api-client.ts';
import { failure, json } from '../../../test/support/scripted-server.ts';
import { EventRecorder } from './event-recorder.ts';
import { nodeTasks } from './resource.ts';

const object = { namespace: 'ns', name: 'x', uid: 'u1' };
const started = { type: 'Normal', reason: 'Started', note: 'started it' } as const;

describe('EventRecorder', () => {
  let api: ScriptedApi;
  let recorder: EventRecorder;

  beforeEach(async () => {
    api = await scriptedApi();
    recorder = new EventRecorder({ client: api.client, clock: api.clock, log: silentLog(), nodeName: 'n'.repeat(200) });
  });

  afterEach(async () => {
    await recorder[Symbol.asyncDispose]();
    await api[Symbol.asyncDispose]();
  });

  /** Waits until so many requests have come; what is told waits a little itself. */
  const sent = async (count: number) => {
    api.clock.advance(500);
    await until(() => api.server.requests.length === count, `request ${count}`);
  };
  const bodies = () => api.server.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>);

  it('creates an event about the object, in words that no terminal obeys', async () => {
    api.server.reply(json({}));
    recorder.record(nodeTasks, object, { ...started, note: `a\u001b[31m${'b'.repeat(2000)}` });
    await sent(1);
    const [event] = bodies();
    expect(event).toMatchObject({
      regarding: { kind: 'NodeTask', namespace: 'ns', name: 'x', uid: 'u1' },
      type: 'Normal',
      reason: 'Started',
      action: 'Started',
      reportingController: 'runlet.dev/agent',
    });
    expect(String(event?.['note'])).toHaveLength(1024);
    expect(String(event?.['note'])).not.toContain('\u001b');
    expect(String(event?.['reportingInstance'])).toHaveLength(128);
  });

  it('says nothing while there is something to be done', async () => {
    recorder.record(nodeTasks, object, started);
    api.clock.advance(499);
    await until(() => true);
    expect(api.server.requests).toHaveLength(0);
    api.server.reply(json({}));
    await sent(1);
  });

  it('counts equal events that come soon as one, and writes the count once a minute', async () => {
    api.server.reply(json({}), json({}));
    for (let n = 0; n < 5; n += 1) recorder.record(nodeTasks, object, started);
    await sent(1);
    api.clock.advance(60_000);
    await until(() => true);
    recorder.record(nodeTasks, object, started);
    await sent(2);
    expect(api.server.requests[1]?.method).toBe('PATCH');
    expect(bodies()[1]).toMatchObject({ series: { count: 6 } });
  });

  it('begins anew when an equal event comes late', async () => {
    api.server.reply(json({}), json({}));
    recorder.record(nodeTasks, object, started);
    await sent(1);
    api.clock.advance(6 * 60_000);
    recorder.record(nodeTasks, object, started);
    await sent(2);
    expect(api.server.requests[1]?.method).toBe('POST');
  });

  it('lets an object say no more than anybody reads', async () => {
    api.server.reply(...Array.from({ length: 40 }, () => json({})));
    for (let n = 0; n < 40; n += 1) recorder.record(nodeTasks, object, { ...started, note: `number ${n}` });
    recorder.record(nodeTasks, { ...object, uid: 'u2' }, started);
    await sent(26);
    api.clock.advance(300_000);
    recorder.record(nodeTasks, object, { ...started, note: 'later' });
    await sent(27);
    expect(bodies().at(-1)).toMatchObject({ note: 'later' });
  });

  it('tells after an outage what it could not tell, in order, and drops what is refused', async () => {
    api.server.reply(failure(503, '', 'away'));
    recorder.record(nodeTasks, object, started);
    recorder.record(nodeTasks, object, { ...started, reason: 'Refused' });
    recorder.record(nodeTasks, object, { ...started, reason: 'Exited' });
    await sent(1);
    await until(() => api.clock.pending > 0);
    api.server.reply(json({}), failure(403, 'Forbidden', 'namespace is terminating'), json({}));
    api.clock.advance(5000);
    await sent(4);
    expect(bodies().map(({ reason }) => reason)).toEqual(['Started', 'Started', 'Refused', 'Exited']);
  });
});
