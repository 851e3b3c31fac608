import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { connectSessions, explain, replies, unary } from './client.ts';
import { RunletClient } from './gen/runlet/v1/runlet.ts';
import type { SessionRequest } from './gen/runlet/v1/sessions.ts';
import type { SessionTicket } from './ports.ts';
import { SessionServer } from './session-server.ts';

let clock: ManualClock;
let server: SessionServer;
let port: number;
let shown: SessionTicket[];

beforeEach(async () => {
  clock = new ManualClock();
  shown = [];
  const door = {
    open: (ticket: SessionTicket) => {
      shown.push(ticket);
      return Promise.resolve();
    },
  };
  server = new SessionServer({ address: { host: '127.0.0.1', port: 0 }, door, clock, log: silentLog() });
  port = await server.listen();
});
afterEach(async () => await server[Symbol.asyncDispose]());

/** What the server says to these requests, in the end. */
async function told(...requests: readonly SessionRequest[]): Promise<string> {
  using client = connectSessions(port);
  const stream = client.open();
  stream.on('error', () => {});
  for (const request of requests) stream.write(request);
  const end = (async () => {
    for await (const _reply of replies(stream));
  })();
  const text = end.then(
    () => 'ended',
    (error: unknown) => explain(error).message,
  );
  if (requests.length === 0) {
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
  }
  return await text;
}

const ticket = {
  ...{ kind: 'NodeTaskTopSession', namespace: 'a', name: 'b', uid: 'c', secret: Buffer.from('d') },
  ...{ size: undefined, logs: undefined, top: undefined },
};

describe('the port of sessions', () => {
  it('shows a ticket to the door', async () => {
    expect(await told({ message: { $case: 'ticket', value: ticket } })).toBe('ended');
    expect(shown).toEqual([{ kind: 'NodeTaskTopSession', namespace: 'a', name: 'b', uid: 'c', secret: ticket.secret }]);
  });

  it('lets nobody say anything before the ticket, or nothing for long', async () => {
    expect(await told({ message: { $case: 'stdin', value: Buffer.from('x') } })).toContain('must be its ticket');
    expect(await told()).toContain('no ticket within 10 s');
    expect(shown).toEqual([]);
  });

  it('is no way to the rest of the API', async () => {
    const client = new RunletClient(`127.0.0.1:${port}`, credentials.createInsecure());
    const list = unary(client.list.bind(client), { namespace: '', ids: [] });
    await expect(list).rejects.toMatchObject({ code: 'unimplemented' });
    client.close();
  });

  it('is one at a time: the second who wants it is told', async () => {
    const second = new SessionServer({
      ...{ address: { host: '127.0.0.1', port }, door: { open: () => Promise.resolve() } },
      ...{ clock, log: silentLog() },
    });
    await expect(second.listen()).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
  });
});
