import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { cli, startCli } from '../support/cli-process.ts';
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

describe('runlet exec', () => {
  it('runs a process in the task with its own status, user and folder', async () => {
    await background('web', patient, '-e', 'A=task');
    const made = await run(
      'exec',
      '-u',
      'app',
      '-w',
      '/tmp',
      '-e',
      'B=exec',
      'web',
      'sh',
      '-c',
      'id -un; pwd; echo $A $B; exit 9',
    );
    expect(made).toEqual({ status: 9, stdout: 'app\n/tmp\ntask exec\n', stderr: '' });
    expect(await cli(node, ['exec', '-i', 'web', 'cat'], 'piped\n')).toMatchObject({ status: 0, stdout: 'piped\n' });
    expect((await run('exec', 'web', '--', 'echo', '-n', 'x')).stdout).toBe('x');
  });

  it('gives a killed process 128 and the signal’s number', async () => {
    await background('web');
    expect((await run('exec', 'web', 'sh', '-c', 'kill -9 $$')).status).toBe(137);
  });

  it('loses nothing of a process that ends at once', async () => {
    await background('web');
    const results = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => run('exec', 'web', 'sh', '-c', `echo ${n}; exit ${n}`)),
    );
    expect(results.map(({ status, stdout }) => `${status} ${stdout}`)).toEqual(
      [1, 2, 3, 4, 5].map((n) => `${n} ${n}\n`),
    );
  });

  it('carries large input and output whole', async () => {
    await background('web');
    const text = `${'0123456789abcdef'.repeat(64)}\n`.repeat(1024);
    const { status, stdout } = await cli(node, ['exec', '-i', 'web', 'cat'], text);
    expect(status).toBe(0);
    expect(stdout.length).toBe(text.length);
    expect(stdout === text).toBe(true);
  });

  it('starts one that nobody watches', async () => {
    await background('web');
    expect(await run('exec', '-d', 'web', 'sh', '-c', 'echo done > /tmp/mark')).toMatchObject({
      status: 0,
      stdout: '',
    });
    await eventually(
      async () => (await run('exec', 'web', 'cat', '/tmp/mark')).stdout,
      (text) => text === 'done\n',
      'the detached process writes',
    );
  });

  it('says why not', async () => {
    await background('web');
    expect((await run('exec', 'web', 'nope')).status).toBe(127);
    await run('pause', 'web');
    expect(await run('exec', 'web', 'ls')).toMatchObject({
      status: 1,
      stderr: 'error: cannot exec in a paused state: task default/web is paused\n',
    });
    expect((await run('exec', 'web')).stderr).toContain('name a command to run');
  });
});

describe('the verbs', () => {
  it('stop waits for the end, by KILL when the grace period is over', async () => {
    await background('web', 'trap "" TERM; echo ready; while :; do sleep 0.1; done');
    await eventually(
      async () => (await run('logs', 'web')).stdout,
      (text) => text.includes('ready'),
      'it is up',
    );
    const stopped = await run('stop', '--grace', '100ms', 'web', '-o', 'json');
    expect(JSON.parse(stopped.stdout)).toMatchObject([{ id: 'web', exitStatus: 137 }]);
  });

  it('restart makes it anew, with a log of its own', async () => {
    await background('web', 'echo run; sleep 1000', '--stop-timeout', '0');
    const before = await ps('web');
    expect((await run('restart', 'web')).stdout).toBe('web\n');
    const after = await ps('web');
    expect(after).toMatchObject({ status: 'running', restarts: 1 });
    expect(after?.['pid']).not.toBe(before?.['pid']);
    await eventually(
      async () => (await run('logs', 'web')).stdout,
      (text) => text === 'run\n',
      'the new log',
    );
    expect((await run('logs', '--attempt', '0', 'web')).stdout).toBe('run\n');
  });

  it('inspect tells everything, events what happens', async () => {
    await using events = startCli(node, ['events', '-o', 'json']);
    await eventually(
      async () => {
        await run('run', '--rm', '--rootfs', node.rootfs, 'true');
        return events.out;
      },
      (out) => /\/tasks\/exit.*\n/.test(out),
      'events come',
    );
    const exit = events.out.split('\n').find((line) => line.includes('/tasks/exit')) ?? '';
    expect(JSON.parse(exit)).toMatchObject({
      namespace: 'default',
      topic: '/tasks/exit',
      event: { pid: expect.any(Number) as number },
    });
    await background('web');
    const inspected = JSON.parse((await run('inspect', 'web')).stdout) as object;
    expect(inspected).toMatchObject({ id: 'web', task: { status: 'running' }, spec: { process: { cwd: '/' } } });
  });

  it('logs follows until the end, with tail and times', async () => {
    await background('web', 'echo one; echo two >&2; read x; echo three', '-i');
    await using follow = startCli(node, ['logs', '-f', '-t', '--tail', '1', 'web']);
    await follow.shows(/^\d{4}-\S+ two$/m);
    await cli(node, ['attach', 'web'], 'go\n');
    expect(await follow.end()).toBe(0);
    expect(follow.out).toMatch(/^\d{4}-\d\d-\d\dT\S+ three\n$/);
    expect(follow.err).toMatch(/^\d{4}-\d\d-\d\dT\S+ two\n$/);
  });

  it('drain stops everything', async () => {
    for (const id of ['a', 'b']) {
      await background(id);
      await eventually(
        async () => (await run('logs', id)).stdout,
        (text) => text.includes('ready'),
        'it knows what to do when it is told to end',
      );
    }
    const drained = await run('drain', '--grace', '30s');
    expect(drained.stdout.split('\n').toSorted()).toEqual(['', 'default/a stopped', 'default/b stopped']);
    expect(await ps('a')).toMatchObject({ status: 'stopped', exitStatus: 3 });
  });

  it('names the agent’s version and namespaces', async () => {
    await background('web');
    expect((await run('version')).stdout).toMatch(/^client +(\S+)\nagent +\1\n$/);
    expect((await run('namespaces')).stdout).toMatch(/^default +1 +1 +-$/m);
  });
});
