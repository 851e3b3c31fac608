import { spawnSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { measuredNode, parseScrape, serve } from '../support/metrics.ts';
import { makeTestNode, type TestNode } from '../support/node.ts';

let node: TestNode;
beforeEach(() => {
  node = makeTestNode();
});
afterEach(async () => {
  await node.clean();
});

const forever = ['/bin/sleep', '100000'];

async function request(port: number, path: string, headers: Record<string, string> = {}) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers, agent: false }, resolve).on('error', reject);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

describe('the metrics endpoint', () => {
  it('answers what promtool has nothing to say about, in every profile', async () => {
    for (const profile of ['basic', 'standard', 'full'] as const) {
      await using measured = await measuredNode(node, { profile });
      await measured.run('a', forever);
      measured.metrics.agent.operation('start', 0.1, 'internal');
      const { text } = await measured.scrape();
      const check = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
      expect(`${check.stdout}${check.stderr}`).toBe('');
      expect(check.status).toBe(0);
    }
  });

  it('sends text or OpenMetrics, plain or compressed, as the scraper likes', async () => {
    await using measured = await measuredNode(node);
    await measured.run('a', forever);
    const { server, port } = await serve(measured);
    await using _closed = server;
    const plain = await request(port, '/metrics');
    expect(plain.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(parseScrape(plain.body.toString()).value('runlet_task_pids{namespace="default",task="a"}')).toBe(1);
    const open = await request(port, '/metrics', {
      accept: 'application/openmetrics-text;version=1.0.0',
      'accept-encoding': 'gzip',
    });
    expect(open.headers).toMatchObject({
      'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8',
      'content-encoding': 'gzip',
    });
    const text = gunzipSync(open.body).toString();
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    expect(text).toContain('# TYPE runlet_task_cpu_usage_seconds counter\n');
    expect(text).toContain('runlet_task_cpu_usage_seconds_total{namespace="default",task="a"} ');
  });

  it('says whether the agent is alive and ready', async () => {
    await using measured = await measuredNode(node);
    let ready: true | string = 'desired state has not been read yet';
    const notes: string[] = [];
    const { server, port } = await serve(measured, {}, { ready: () => ready, notes: () => notes });
    await using _closed = server;
    expect(await request(port, '/healthz')).toMatchObject({ status: 200 });
    expect(await request(port, '/readyz')).toMatchObject({ status: 503 });
    ready = true;
    notes.push('the CRD is old');
    const answer = await request(port, '/readyz');
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe('ok\nnote: the CRD is old\n');
    expect(await request(port, '/elsewhere')).toMatchObject({ status: 404 });
  });
});
