import { describe, expect, it } from 'vitest';
import { createTask, taskRef } from '../../test/support/tasks.ts';
import { runCli, testShell } from '../../test/support/cli.ts';
import { startApi, type TestApi } from '../../test/support/api.ts';

async function nodeWithTasks(): Promise<TestApi> {
  const api = await startApi();
  const { manager } = api.node;
  await (await manager.create(createTask('web'))).start();
  await manager.create(createTask('db', taskRef('db', 'team')));
  await (await manager.create(createTask('both'))).start();
  await manager.create(createTask('both', taskRef('both', 'team')));
  return api;
}

describe('runlet ps', () => {
  it('shows every namespace in a column, unless one is named', async () => {
    await using api = await nodeWithTasks();
    const { address } = api.client;
    const all = await runCli(['ps', '--address', address]);
    expect(all.stderr).toBe('');
    expect(all.stdout.split('\n')[0]).toMatch(/^NAMESPACE +ID +STATUS +PID +EXIT +RESTARTS +AGE +IMAGE$/);
    expect(all.stdout).toMatch(/^default +web +running +\d+ +- +0 +0s +-$/m);
    expect(all.stdout).toMatch(/^team +db +created /m);
    const one = await runCli(['--address', address, 'ps', '-n', 'team', '-q']);
    expect(one.stdout).toBe('both\ndb\n');
  });

  it('takes global flags before and after its name, the later one counts', async () => {
    await using api = await nodeWithTasks();
    const result = await runCli(['-n', 'default', '-o', 'json', '--address', api.client.address, 'ps', '-n', 'team']);
    const tasks = JSON.parse(result.stdout) as { id: string; status: string }[];
    expect(tasks.map(({ id, status }) => `${id} ${status}`)).toEqual(['both created', 'db created']);
  });

  it('prints JSON with what does not apply absent', async () => {
    await using api = await nodeWithTasks();
    const { manager, runtime } = api.node;
    runtime.end(taskRef('web'), { status: 3 });
    expect(manager.get(taskRef('web')).status).toBe('stopped');
    const result = await runCli(['ps', 'web', 'db', '-o', 'json', '--address', api.client.address]);
    expect(JSON.parse(result.stdout)).toEqual([
      {
        ...{ namespace: 'default', id: 'web', status: 'stopped', exitStatus: 3, reason: 'Exited', restarts: 0 },
        createdAt: '2023-11-14T22:13:20.000Z',
        startedAt: '2023-11-14T22:13:20.000Z',
        finishedAt: '2023-11-14T22:13:20.000Z',
      },
      {
        ...{ namespace: 'team', id: 'db', status: 'created', pid: expect.any(Number) as number, restarts: 0 },
        createdAt: '2023-11-14T22:13:20.000Z',
      },
    ]);
  });
});

describe('a command that names a task', () => {
  it('finds it in any namespace', async () => {
    await using api = await nodeWithTasks();
    const result = await runCli(['inspect', 'db', '--address', api.client.address]);
    expect(JSON.parse(result.stdout)).toMatchObject({ namespace: 'team', id: 'db', task: { status: 'created' } });
  });

  it('lists the namespaces where several have the name, and exits 1', async () => {
    await using api = await nodeWithTasks();
    const { address } = api.client;
    const result = await runCli(['inspect', 'both', '--address', address]);
    expect(result).toEqual({
      status: 1,
      stdout: '',
      stderr: 'error: task both is in several namespaces: default, team; say which with -n\n',
    });
    expect((await runCli(['inspect', 'both', '-n', 'team', '--address', address])).status).toBe(0);
    expect((await runCli(['inspect', 'team/both', '--address', address])).status).toBe(0);
  });

  it('says when there is none', async () => {
    await using api = await nodeWithTasks();
    const result = await runCli(['inspect', 'nobody', '--address', api.client.address]);
    expect(result).toMatchObject({ status: 1, stderr: 'error: no task nobody on this node\n' });
  });
});

describe('runlet stats', () => {
  it('prints what running tasks use', async () => {
    await using api = await nodeWithTasks();
    const { address } = api.client;
    const table = await runCli(['stats', '--address', address]);
    expect(table.stdout).toMatch(/^NAMESPACE +ID +CPU +CPU-LIMIT .* PIDS-LIMIT +OOM$/m);
    expect(table.stdout).toMatch(/^default +web .* 4KiB .* 1 +- +0$/m);
    const wide = await runCli(['stats', '--wide', '--address', address]);
    expect(wide.stdout).toMatch(/OOM +SWAP +THROTTLED% +READ\/S .* NET-OUT\/S +WAIT-CPU% +WAIT-MEM% +WAIT-IO%$/m);
    const json = await runCli(['stats', 'web', '--sample', '0', '-o', 'json', '--address', address]);
    expect(JSON.parse(json.stdout)).toEqual([
      { namespace: 'default', id: 'web', memoryBytes: 4096, oomKills: 0, pids: 1 },
    ]);
  });

  it('names a flag that is wrong, and the rule', async () => {
    const result = await runCli(['stats', '--sample', 'soon']);
    expect(result).toMatchObject({
      status: 1,
      stderr: 'error: --sample must be a time such as 500ms, 10s or 1m30s, not "soon"\n',
    });
  });
});

describe('the program', () => {
  it('says where no agent answers', async () => {
    const result = await runCli(['ps', '--address', '/nonexistent/runlet.sock']);
    expect(result).toEqual({
      status: 1,
      stdout: '',
      stderr: 'error: no agent answers at /nonexistent/runlet.sock: is `runlet agent` running?\n',
    });
  });

  it('prints both versions, and fails when the agent does not answer', async () => {
    await using api = await startApi();
    const result = await runCli(['version', '-o', 'json', '--address', api.client.address]);
    expect(JSON.parse(result.stdout)).toEqual({ client: '0.0.0-test', agent: '0.0.0-test' });
    expect(await runCli(['version', '--address', '/nonexistent/s'])).toMatchObject({
      status: 1,
      stdout: 'client  0.0.0-test\n',
    });
  });

  it('takes the address from the environment when no flag says it', async () => {
    await using api = await startApi();
    const shell = { ...testShell(), env: { RUNLET_ADDRESS: api.client.address } };
    expect(await runCli(['ps', '-q'], shell)).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('suggests the command that was meant', async () => {
    const result = await runCli(['pss']);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("unknown command 'pss'\n(Did you mean ps?)");
  });

  it('ends quietly when nobody reads what it prints', async () => {
    await using api = await nodeWithTasks();
    const shell = testShell();
    shell.stdout.on('error', () => {});
    shell.stdout.destroy();
    expect(await runCli(['ps', '--address', api.client.address], shell)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});
