/** What ctr does with streams and by itself: stdin, attach, events, checkpoints. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { installedCriu } from '../support/criu.ts';
import { runCtr, type CtrOptions, type CtrResult } from '../support/ctr.ts';
import { eventually } from '../support/node.ts';

let node: AgentNode;
let agent: RunningAgent;
let fifos: string;

beforeAll(async () => {
  node = makeAgentNode();
  fifos = join(node.folder, 'fifos');
  mkdirSync(fifos);
  agent = await node.start({ flags: ['--criu', installedCriu()] });
});
afterAll(async () => {
  await agent.stop();
  await node.clean();
});

/** Runs ctr in the default namespace; arguments are split at spaces, `{rootfs}` and a last script are filled in. */
async function ctr(line: string, script?: string, options?: CtrOptions): Promise<CtrResult> {
  const words = line.split(' ').map((word) => word.replace('{rootfs}', node.rootfs).replace('{fifos}', fifos));
  return await runCtr(node.socket, [...words, ...(script === undefined ? [] : [script])], options);
}

async function remove(id: string): Promise<void> {
  await ctr(`tasks rm -f ${id}`);
  await ctr(`containers rm ${id}`);
}

describe('ctr', () => {
  it('ends cat when what is piped into it has come to its end', async () => {
    const options = { stdin: 'hi\n' };
    const result = await ctr('run --rm --fifo-dir {fifos} --rootfs {rootfs} piped /bin/cat', undefined, options);
    expect(result).toEqual({ code: 0, stdout: 'hi\n', stderr: '' });
  });

  it('leaves a shell running that it started in the background with a stdin at its end', async () => {
    expect((await ctr('run -d --fifo-dir {fifos} --rootfs {rootfs} back /bin/sh -c', 'read x; exit 9')).code).toBe(0);
    const { stdout } = await ctr('tasks ls');
    expect(stdout).toMatch(/back +\d+ +RUNNING/);
    await remove('back');
  });

  it('attaches to a task and ends with it, as its exit status', async () => {
    const script = 'while [ ! -e /tmp/go ]; do sleep 0.05; done; echo seen; exit 5';
    await ctr('run -d --fifo-dir {fifos} --rootfs {rootfs} att /bin/sh -c', script);
    const attached = ctr('tasks attach att');
    await ctr('tasks exec --fifo-dir {fifos} --exec-id go att /bin/touch /tmp/go');
    const { code, stdout } = await attached;
    expect({ code, stdout }).toEqual({ code: 5, stdout: 'seen\n' });
    await ctr('containers rm att');
  });

  it('prints events as they happen, chosen by a filter', async () => {
    const events = spawn('ctr', ['-a', node.socket, 'events', 'event.container_id==ev', 'event.id==ev']);
    let said = '';
    events.stdout.on('data', (data: Buffer) => void (said += data.toString()));
    // The subscription counts from its first event: containers come and go until one is seen.
    await eventually(
      async () => {
        await ctr('containers create --rootfs {rootfs} ev /bin/true');
        await ctr('containers rm ev');
        return said;
      },
      (text) => text.includes('/containers/create'),
      'ctr hears events',
    );
    said = '';
    await ctr('run --rm --fifo-dir {fifos} --rootfs {rootfs} ev /bin/true');
    await eventually(
      () => said,
      (text) => text.includes('/containers/delete'),
      'the last event',
    );
    events.kill();
    await once(events, 'close');
    const topics = [...said.matchAll(/ default (\/\S+) /g)].map(([, topic]) => topic);
    expect(topics.filter((topic) => topic?.startsWith('/tasks'))).toEqual([
      ...['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete'],
    ]);
    expect(said).toMatch(/\/tasks\/exit \{.*"container_id":"ev".*\}/);
  });

  it('dumps a task into a folder, and says before anything is done that it cannot be an image', async () => {
    // Streams that lead out of the container are out of criu's reach.
    const made = await ctr('run -d --null-io --rootfs {rootfs} ck /bin/sh -c', 'while :; do sleep 0.1; done');
    expect(made.stderr).toBe('');
    const images = join(node.folder, 'images');
    expect(await ctr(`tasks checkpoint --image-path ${images} ck`)).toMatchObject({ code: 0, stderr: '' });
    expect(existsSync(join(images, 'inventory.img'))).toBe(true);
    const refused = await ctr('tasks checkpoint ck');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/keeps no checkpoints as images.*--image-path/);
    expect((await ctr('tasks ls')).stdout).toMatch(/ck +\d+ +RUNNING/);
    await remove('ck');
  });

  it('leaves nothing behind', () => {
    expect(node.leftovers().filter((what) => !/main\.ts agent|flock /.test(what))).toEqual([]);
  });
});
