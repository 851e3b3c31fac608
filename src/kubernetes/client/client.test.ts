import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '#errors/errors.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { failure, json, ScriptedServer } from '../../../test/support/scripted-server.ts';
import { KubernetesClient } from './client.ts';
import { noClientMetrics } from './client-metrics.ts';
import { isMissing, KubernetesError } from './kubernetes-error.ts';
import { Transport } from './transport.ts';

describe('KubernetesClient', () => {
  let folder: string;
  let tokenFile: string;
  let server: ScriptedServer;
  let clock: ManualClock;
  let transport: Transport;
  let client: KubernetesClient;
  let codes: string[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
    tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'first\n');
    server = await ScriptedServer.start();
    clock = new ManualClock();
    transport = new Transport({
      access: { server: `${server.url}/prefix`, token: { file: tokenFile }, insecure: false },
      clock,
    });
    codes = [];
    const metrics = { ...noClientMetrics, request: ({ code }: { readonly code: string }) => codes.push(code) };
    client = new KubernetesClient({ transport, clock, metrics });
  });

  afterEach(async () => {
    await transport[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** Turns the clock until the promise has settled. */
  async function settled<T>(promise: Promise<T>): Promise<T> {
    const state = { done: false };
    void promise.catch(() => {}).finally(() => (state.done = true));
    while (!state.done) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return await promise;
  }

  it('sends the token, a query and JSON below the path of the server, and reads JSON', async () => {
    server.reply(json({ a: 1 }));
    expect(await client.get('/api', { query: { limit: 5, left: undefined, sel: 'a=b,c' } })).toEqual({ a: 1 });
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'GET', path: '/prefix/api', query: { limit: '5', sel: 'a=b,c' } });
    expect(request?.headers.authorization).toBe('Bearer first');
  });

  it('applies with its own field manager and force, and deletes only what is as it was', async () => {
    server.reply(json({}), json({}));
    await client.apply('/x/status', { status: {} }, { fieldManager: 'runlet-agent' });
    await client.delete('/x', { uid: 'u', resourceVersion: '5' });
    expect(server.requests[0]).toMatchObject({
      method: 'PATCH',
      query: { fieldManager: 'runlet-agent', force: 'true' },
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    expect(JSON.parse(server.requests[1]?.body ?? '')).toMatchObject({
      preconditions: { uid: 'u', resourceVersion: '5' },
    });
  });

  it.each([
    [400, 'BadRequest', 'invalid-argument'],
    [401, 'Unauthorized', 'permission-denied'],
    [403, 'Forbidden', 'permission-denied'],
    [404, 'NotFound', 'not-found'],
    [409, 'AlreadyExists', 'already-exists'],
    [409, 'Conflict', 'failed-precondition'],
    [410, 'Expired', 'failed-precondition'],
    [422, 'Invalid', 'invalid-argument'],
    [500, 'InternalError', 'unavailable'],
  ])('turns %d %s into the error %s, with what was tried and what was said', async (status, reason, code) => {
    server.reply(failure(status, reason, 'because'));
    const error = await client.get('/api').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KubernetesError);
    expect(error).toMatchObject({ code, status, reason, message: 'GET /api: because' });
  });

  it.each([
    ['text', '404 page not found\n'],
    ['a Status that names nothing', JSON.stringify({ kind: 'Status', reason: 'NotFound', code: 404, details: {} })],
  ])('takes a server that does not know our kinds for one that is away: 404 with %s', async (_what, body) => {
    server.reply((response) => response.writeHead(404).end(body));
    const error = await client.get('/api').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'unavailable', status: 404 });
    expect(isMissing(error)).toBe(false);
  });

  it('asks again after as long as the server says, and not before', async () => {
    server.reply(failure(429, 'TooManyRequests', 'later', { 'retry-after': '7' }), json({ ok: true }));
    const before = clock.monotonicMs();
    expect(await settled(client.create('/api', {}))).toEqual({ ok: true });
    expect(clock.monotonicMs() - before).toBeGreaterThanOrEqual(7000);
    expect(codes).toEqual(['429', '200']);
  });

  it('leaves a server alone that asks for more time than a caller waits', async () => {
    server.reply(failure(503, '', 'maintenance', { 'retry-after': '3600' }));
    await expect(client.get('/api')).rejects.toMatchObject({ status: 503, retryAfterMs: 3_600_000 });
  });

  it('gives up after three tries', async () => {
    const later = failure(429, 'TooManyRequests', 'later', { 'retry-after': '1' });
    server.reply(later, later, later);
    await expect(settled(client.get('/api'))).rejects.toMatchObject({ status: 429, code: 'unavailable' });
    expect(server.requests).toHaveLength(3);
  });

  it('reads the token anew when it is refused, and asks once more with the new one', async () => {
    server.reply(json({}), failure(401, 'Unauthorized', 'expired'), json({ ok: true }));
    await client.get('/api');
    writeFileSync(tokenFile, 'second\n');
    expect(await client.get('/api')).toEqual({ ok: true });
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first',
      'Bearer first',
      'Bearer second',
    ]);
  });

  it('reads the token anew after a time, and keeps the old one while the file is away', async () => {
    server.reply(json({}), json({}), json({}));
    await client.get('/api');
    writeFileSync(tokenFile, 'second');
    clock.advance(10_000);
    await client.get('/api');
    rmSync(tokenFile);
    clock.advance(10_000);
    await client.get('/api');
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first',
      'Bearer second',
      'Bearer second',
    ]);
  });

  it('says that a server is away which cannot be reached or breaks off', async () => {
    server.reply((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{');
      setImmediate(() => response.destroy());
    });
    await expect(client.get('/api')).rejects.toThrow(UnavailableError);
    await server[Symbol.asyncDispose]();
    await expect(client.get('/api')).rejects.toThrow(/^GET http:\/\/127\.0\.0\.1:\d+\/prefix\/api: /);
    server = await ScriptedServer.start();
  });

  it('gives up when it is told to', async () => {
    const controller = new AbortController();
    const call = client.get('/api', { signal: controller.signal });
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('refuses an answer that is no JSON, and shows the text of an error that is none', async () => {
    server.reply(
      (response) => response.end('<html>'),
      (response) => response.writeHead(502).end('bad gateway'),
    );
    await expect(client.get('/api')).rejects.toThrow('GET /api: the answer is not JSON');
    await expect(client.get('/api')).rejects.toThrow('GET /api: bad gateway');
  });
});
