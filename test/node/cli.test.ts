import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { cli, startCli, startOnTerminal } from '../support/cli-process.ts';
import { eventually } from '../support/node.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let node: AgentNode;
let agent: RunningAgent;
beforeAll(async () => {
  node = makeAgentNode();
  agent = await node.start();
});
afterEach(async () => {
  if (!agent.running) agent = await node.start();
  const { stdout } = await cli(node, ['ps', '-q']);
  const ids = stdout.split('\n').filter(Boolean);
  if (ids.length > 0) await cli(node, ['rm', '-f', ...ids]);
});
afterAll(async () => {
  await agent.stop();
  const left = node.leftovers();
  await node.clean();
  if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`);
});

const run = (...argv: string[]) => cli(node, argv);

/** Runs until it is told to end, and then ends with 3. */
const patient = 'trap "echo told; exit 3" TERM; trap "echo one" USR1; echo ready; while :; do sleep 0.1; done';

async function background(id: string, script = patient, ...flags: string[]): Promise<void> {
  const made = await run('run', '-d', '--name', id, ...flags, '--rootfs', node.rootfs, 'sh', '-c', script);
  expect(made).toMatchObject({ status: 0, stdout: `${id}\n` });
}

async function ps(id: string): Promise<Record<string, unknown> | undefined> {
  const { stdout } = await run('ps', '-o', 'json');
  return (JSON.parse(stdout) as Record<string, unknown>[]).find((task) => task['id'] === id);
}

describe('runlet run', () => {
  it('hands input, output and exit status on', async () => {
    const piped = await cli(node, ['run', '--rm', '--rootfs', node.rootfs, 'cat'], 'hi\n');
    expect(piped).toMatchObject({ status: 0, stdout: 'hi\n' });
    const both = await run('run', '--rm', '--rootfs', node.rootfs, 'sh', '-c', 'echo out; echo err >&2; exit 7');
    expect(both).toMatchObject({ status: 7, stdout: 'out\n' });
    expect(both.stderr).toContain('err\n');
    expect((await run('ps', '-q')).stdout).toBe('');
  });

  it('sets user, environment, folder, limits and volumes', async () => {
    writeFileSync(join(node.folder, 'shared'), 'from the node\n');
    const result = await run(
      ...['run', '--rm', '-u', 'app', '-w', '/tmp', '-e', 'A=$(B) $$', '--memory', '32Mi', '--pids', '17'],
      ...['-v', `${node.folder}/shared:/shared:ro`, '--tmpfs', '/mem', '--rootfs', node.rootfs],
      ...['sh', '-c', 'id -un; pwd; echo "$A"; cat /shared; touch /mem/x && echo written; touch /shared'],
    );
    expect(result.stdout).toBe('app\n/tmp\n$(B) $$\nfrom the node\nwritten\n');
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('Read-only file system');
  });

  it('says what cannot be run, with the status that a shell has, and leaves nothing', async () => {
    const missing = await run('run', '--rootfs', node.rootfs, 'nope');
    expect(missing.status).toBe(127);
    expect(missing.stderr).toContain('"nope": executable file not found');
    expect((await run('run', '--rootfs', node.rootfs, '/etc/passwd')).status).toBe(126);
    expect((await run('run', '--rootfs', `${node.folder}/nowhere`, 'sh')).status).toBe(1);
    expect((await run('ps', '-q')).stdout).toBe('');
  });

  it('forwards signals to the process, and leaves without it when that does not help', async () => {
    await using told = startCli(node, ['run', '--rm', '--rootfs', node.rootfs, 'sh', '-c', patient]);
    await told.shows('ready');
    told.kill('SIGUSR1');
    await told.shows('one');
    told.kill('SIGTERM');
    expect(await told.end()).toBe(3);
    const deaf = ['run', '--name', 'deaf', '--rootfs', node.rootfs, 'sh', '-c', 'trap "" TERM; echo ready; sleep 1000'];
    await using ignored = startCli(node, deaf);
    await ignored.shows('ready');
    const ending = ignored.end();
    let over = false;
    void ending.then(() => (over = true));
    await eventually(
      () => {
        ignored.kill('SIGTERM');
        return over;
      },
      Boolean,
      'the client leaves',
    );
    expect(await ending).toBeOneOf([143, 'SIGTERM']);
    expect(await ps('deaf')).toMatchObject({ status: 'running' });
  });

  it('says when the agent goes away; the task goes on and can be attached to again', async () => {
    await using client = startCli(node, ['run', '--name', 'web', '--rootfs', node.rootfs, 'sh', '-c', patient]);
    await client.shows('ready');
    await agent.stop('SIGKILL');
    expect(await client.end()).toBe(1);
    expect(client.err).toContain(
      'error: the connection to the agent broke; the task goes on: `runlet attach web` connects again\n',
    );
    agent = await node.start();
    await using again = startCli(node, ['attach', 'web']);
    again.endInput();
    await eventually(
      async () => {
        await run('kill', '-s', 'USR1', 'web');
        return again.out;
      },
      (out) => out.includes('one'),
      'the attached client hears the task',
    );
    await run('kill', 'web');
    expect(await again.end()).toBe(3);
  });

  it('ends when its reader has gone, without a word', async () => {
    await using client = startCli(node, ['run', '--name', 'loud', '--rootfs', node.rootfs, 'yes']);
    await client.shows('y\n');
    client.stopReading();
    expect(await client.end()).toBe(0);
    expect(client.err).not.toContain('rror: w');
  });
});

describe('on a terminal', () => {
  it('run -it is a shell with the terminal’s size, and its status is the client’s', async () => {
    await using shell = startOnTerminal(node, ['run', '--rm', '-it', '--rootfs', node.rootfs, 'sh']);
    await shell.shows('/ # ');
    shell.type('stty size; tty; echo $TERM\r');
    await shell.shows(/30 100\s[^]*\/dev\/pts\/0\s[^]*xterm/);
    shell.type('exit 5\r');
    expect(await shell.end()).toBe(5);
  });

  it('exec -it follows the terminal’s size while it runs', async () => {
    await background('web');
    const fifo = `${node.folder}/resize`;
    const before = `terminal=$(tty); mkfifo ${fifo}; (read x < ${fifo}; stty rows 41 cols 123 < $terminal) &`;
    await using shell = startOnTerminal(node, ['exec', '-it', 'web', 'sh'], { before });
    await shell.shows('/ # ');
    writeFileSync(fifo, 'now\n');
    await eventually(
      async () => (await run('exec', 'web', 'sh', '-c', 'stty size < /dev/pts/0')).stdout,
      (out) => out === '41 123\n',
      'the size is handed on',
    );
    shell.type('exit 4\r');
    expect(await shell.end()).toBe(4);
  });

  it('hands Ctrl-C to the process as a key', async () => {
    await background('web');
    await using shell = startOnTerminal(node, [
      'exec',
      '-it',
      'web',
      'sh',
      '-c',
      'trap "echo caught; exit 6" INT; echo up; cat',
    ]);
    await shell.shows('up');
    shell.type('\u0003');
    await shell.shows('caught');
    expect(await shell.end()).toBe(6);
  });

  it('lets go with ctrl-p ctrl-q, and the terminal is as it was', async () => {
    const argv = ['run', '--name', 'shell', '-it', '--rootfs', node.rootfs, 'sh'];
    await using client = startOnTerminal(node, argv, { after: 'stty -a; exit $status' });
    await client.shows('/ # ');
    client.type(Buffer.from([0x10, 0x11]));
    await client.shows('detached; `runlet attach shell` connects again');
    await client.shows(/ icanon[^]* echo /);
    expect(await client.end()).toBe(0);
    expect(await ps('shell')).toMatchObject({ status: 'running' });
    await using again = startOnTerminal(node, ['attach', 'shell']);
    again.type('echo again $((6*7))\r');
    await again.shows('again 42');
    again.type('exit 0\r');
    expect(await again.end()).toBe(0);
  });

  it('gives the terminal back when the agent dies', async () => {
    await background('web');
    await using client = startOnTerminal(node, ['exec', '-it', 'web', 'sh'], { after: 'stty -a; exit $status' });
    await client.shows('/ # ');
    await agent.stop('SIGKILL');
    await client.shows('the connection to the agent broke');
    await client.shows(/ icanon[^]* echo /);
    expect(await client.end()).toBe(1);
  });

  it('top fills the screen and q gives it back', async () => {
    await background('web');
    await using top = startOnTerminal(node, ['top', '--interval', '100ms']);
    await top.shows(/runlet top[^]*default +web/);
    top.type('q');
    expect(await top.end()).toBe(0);
    expect(top.out.endsWith('\u001B[?25h\u001B[?1049l')).toBe(true);
  });
});

describe('verbs', () => {
  it('create, start, pause, resume, update, kill, wait and rm drive a task', async () => {
    const made = await run('create', '--name', 'web', '--memory', '32Mi', '--rootfs', node.rootfs, 'sh', '-c', patient);
    expect(made).toMatchObject({ status: 0, stdout: 'web\n' });
    expect(await ps('web')).toMatchObject({ namespace: 'default', status: 'created', restarts: 0 });
    expect((await run('start', 'web')).stdout).toBe('web\n');
    const running = await ps('web');
    expect(running).toMatchObject({ status: 'running', command: ['sh', '-c', patient] });
    expect(readFileSync(`/proc/${String(running?.['pid'])}/comm`, 'utf8')).toBe('sh\n');
    await run('pause', 'web');
    expect(await ps('web')).toMatchObject({ status: 'paused' });
    await run('resume', 'web');
    expect((await run('update', 'web', '--memory', '64Mi', '--pids', '50')).status).toBe(0);
    const stats = JSON.parse((await run('stats', 'web', '-o', 'json')).stdout) as Record<string, number>[];
    expect(stats).toMatchObject([{ id: 'web', memoryLimitBytes: 67_108_864, pidsLimit: 50 }]);
    await using waiting = startCli(node, ['wait', 'web']);
    await run('kill', 'web');
    expect(await waiting.end()).toBe(3);
    expect(await ps('web')).toMatchObject({ status: 'stopped', exitStatus: 3, reason: 'Exited' });
    expect((await run('wait', 'web')).status).toBe(3);
    expect((await run('rm', 'web')).stdout).toBe('web\n');
    expect(await ps('web')).toBeUndefined();
  });
});
