import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../test/support/api.ts';
import { runCli, testShell, type CliResult, type TestShell } from '../../test/support/cli.ts';
import { FakeImages, FakeLogs, FakeMaker, plainContainer } from '../../test/support/fake-ports.ts';
import { createTask, specOf, taskRef } from '../../test/support/tasks.ts';

interface Bench extends AsyncDisposable {
  readonly api: TestApi;
  readonly maker: FakeMaker;
  readonly images: FakeImages;
  readonly logs: FakeLogs;
  run(argv: readonly string[], shell?: TestShell): Promise<CliResult>;
  status(id: string, namespace?: string): string;
}

async function bench(): Promise<Bench> {
  const [maker, images, logs] = [new FakeMaker(), new FakeImages(), new FakeLogs()];
  const api = await startApi({ maker, images, logs });
  const { manager } = api.node;
  maker.tasks = manager;
  maker.containers = api.containers;
  return {
    ...{ api, maker, images, logs },
    run: async (argv, shell = testShell()) =>
      await runCli(argv, { ...shell, env: { ...shell.env, RUNLET_ADDRESS: api.client.address } }),
    status: (id, namespace) => manager.find(taskRef(id, namespace))?.status ?? 'gone',
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}

/** With tasks `web` and `db`, made as ctr makes them, and one of a NodeTask. */
async function benchWithTasks(): Promise<Bench> {
  const made = await bench();
  for (const ref of [taskRef('web'), taskRef('db'), taskRef('owned', 'k8s.team-a')]) {
    await made.api.containers.create(plainContainer(ref, specOf()));
    await (await made.api.node.manager.create(createTask(ref.id, ref))).start();
  }
  return made;
}

describe('verbs that change tasks', () => {
  it('pause and resume them, and print their ids', async () => {
    await using b = await benchWithTasks();
    expect(await b.run(['pause', 'web', 'db'])).toEqual({ status: 0, stdout: 'web\ndb\n', stderr: '' });
    expect([b.status('web'), b.status('db')]).toEqual(['paused', 'paused']);
    expect((await b.run(['resume', 'web', '-o', 'json'])).stdout).toBe(
      `${JSON.stringify([{ namespace: 'default', id: 'web' }], undefined, 2)}\n`,
    );
    expect(b.status('web')).toBe('running');
  });

  it('say what failed and go on with the others', async () => {
    await using b = await benchWithTasks();
    const result = await b.run(['pause', 'nobody', 'web']);
    expect(result).toEqual({ status: 1, stdout: 'web\n', stderr: 'error: no task nobody on this node\n' });
    expect((await b.run(['pause', 'web'])).stderr).toBe(
      'error: cannot pause a paused container: task default/web is paused\n',
    );
  });

  it('start what waits', async () => {
    await using b = await bench();
    await b.api.node.manager.create(createTask('web'));
    await b.api.containers.create(plainContainer(taskRef('web'), specOf()));
    expect((await b.run(['start', 'web'])).status).toBe(0);
    expect(b.status('web')).toBe('running');
  });

  it('send signals by name and number, TERM by default, to all on demand', async () => {
    await using b = await benchWithTasks();
    const { calls } = b.api.node.runtime.controls;
    b.api.node.runtime.mortal = false;
    for (const flags of [[], ['-s', 'HUP'], ['-s', '10', '--all']]) {
      expect((await b.run(['kill', ...flags, 'web'])).stderr).toBe('');
    }
    expect(calls.filter((call) => call.startsWith('kill'))).toEqual([
      'kill default/web 15',
      'kill default/web 1',
      'killAll default/web 10',
    ]);
    expect(await b.run(['kill', '-s', 'NOPE', 'web'])).toMatchObject({
      status: 1,
      stderr: 'error: "NOPE" is no signal: write a name such as TERM, or a number from 1 to 64\n',
    });
  });

  it('stop with a grace period, and say how it ended', async () => {
    await using b = await benchWithTasks();
    const result = await b.run(['stop', '--grace', '1.5s', 'web', '-o', 'json']);
    expect(JSON.parse(result.stdout)).toEqual([{ namespace: 'default', id: 'web', exitStatus: 143, reason: 'Exited' }]);
    expect(b.maker.calls).toEqual(['stop default/web 1500']);
  });

  it('change limits as a NodeTask names them', async () => {
    await using b = await benchWithTasks();
    const flags = ['--cpu', '500m', '--memory', '64Mi', '--pids', '100', '--memory-high', '56Mi', '--io-weight', '50'];
    expect(await b.run(['update', 'web', ...flags, '--cpuset-cpus', '0-1'])).toEqual({
      ...{ status: 0, stdout: 'web\n', stderr: 'warning: io.weight is not there\n' },
    });
    const resources =
      '{"limits":{"cpu":"500m","memory":"64Mi","pids":"100"},"memoryHigh":"56Mi","cpuset":{"cpus":"0-1"},"io":{"weight":50}}';
    expect(b.maker.calls).toEqual([`update default/web ${resources}`]);
    expect((await b.run(['update', 'web'])).stderr).toContain('nothing to change');
  });

  it('checkpoint into a folder and restore from it; paths are the client’s', async () => {
    await using b = await benchWithTasks();
    expect((await b.run(['checkpoint', '--path', 'images/c', 'web'])).stdout).toBe('/images/c\n');
    expect((await b.run(['checkpoint', 'db'])).stdout).toMatch(/checkpoints\/default\/db\n$/);
    expect((await b.run(['checkpoint', '--stop', '--path', '/c2', 'web'])).status).toBe(0);
    expect(b.status('web')).toBe('stopped');
    expect((await b.run(['restore', '--path', 'images/c', 'web'])).stdout).toBe('web\n');
    expect(b.maker.calls).toEqual(['restore default/web /images/c']);
  });

  it('remove, and with -f also what runs', async () => {
    await using b = await benchWithTasks();
    expect((await b.run(['rm', 'web'])).stderr).toBe('error: task default/web is running\n');
    expect((await b.run(['rm', '-f', 'web'])).stdout).toBe('web\n');
    expect(b.status('web')).toBe('gone');
  });

  it('restart', async () => {
    await using b = await benchWithTasks();
    expect((await b.run(['restart', 'web'])).stdout).toBe('web\n');
    expect(b.maker.calls).toEqual(['restart default/web']);
  });
});

describe('a task of a NodeTask', () => {
  it.each([
    [
      ['pause', 'owned'],
      `kubectl patch nodetasks.runlet.dev owned -n team-a --type merge -p '{"spec":{"runState":"Paused"}}'`,
    ],
    [['stop', 'owned'], `'{"spec":{"runState":"Stopped"}}'`],
    [['resume', 'owned'], `'{"spec":{"runState":"Running"}}'`],
    [['start', 'owned'], `'{"spec":{"runState":"Running"}}'`],
    [['update', 'owned', '--cpu', '1'], `-p '{"spec":{"resources":{"limits":{"cpu":"1"}}}}'`],
    [['restart', 'owned'], 'kubectl annotate nodetasks.runlet.dev owned -n team-a --overwrite runlet.dev/restartedAt='],
    [['kill', '-s', '1', 'owned'], '`kubectl runlet kill owned -n team-a -s HUP`'],
    [['checkpoint', '--stop', 'owned'], '`kubectl runlet checkpoint owned -n team-a --stop`'],
    [['restore', 'owned'], 'spec.restoreFrom'],
    [['rm', 'owned'], '`kubectl delete nodetasks.runlet.dev owned -n team-a`'],
  ])('is not changed by %j, which says how it is done', async (argv, says) => {
    await using b = await benchWithTasks();
    const result = await b.run(argv);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('task k8s.team-a/owned belongs to NodeTask team-a/owned');
    expect(result.stderr).toContain(says);
    expect(b.status('owned', 'k8s.team-a')).toBe('running');
    expect(b.maker.calls).toEqual([]);
  });

  it('is changed with --force', async () => {
    await using b = await benchWithTasks();
    expect((await b.run(['pause', '--force', 'owned'])).stdout).toBe('owned\n');
    expect(b.status('owned', 'k8s.team-a')).toBe('paused');
  });

  it('is not made by hand', async () => {
    await using b = await bench();
    const result = await b.run(['run', '-d', '-n', 'k8s.team-a', 'busybox']);
    expect(result.stderr).toContain('namespace k8s.team-a is for tasks of NodeTasks');
  });
});

describe('runlet wait', () => {
  it('ends with the status of the process', async () => {
    await using b = await benchWithTasks();
    const waiting = b.run(['wait', 'web', '-o', 'json']);
    await expect.poll(() => b.api.node.runtime.waits, { timeout: 30_000 }).toContain('default/web true');
    b.api.node.runtime.end(taskRef('web'), { status: 42 });
    const result = await waiting;
    expect(result.status).toBe(42);
    expect(JSON.parse(result.stdout)).toEqual({ namespace: 'default', id: 'web', exitStatus: 42 });
  });

  it('ends with 255 when nobody saw the end', async () => {
    await using b = await benchWithTasks();
    b.api.node.runtime.end(taskRef('web'), { status: 255, reason: 'Lost' });
    expect((await b.run(['wait', 'web'])).status).toBe(255);
  });
});

describe('runlet run and create', () => {
  it('hand on what was asked for, and print the id', async () => {
    await using b = await bench();
    const shell = testShell();
    const result = await b.run(
      ['run', '-d', '--name', 'web', '-u', 'app', '-e', 'A=1', '--memory', '64Mi', 'busybox', 'sh', '-c', 'echo $$ -n'],
      shell,
    );
    expect(result).toEqual({
      status: 0,
      stdout: 'web\n',
      stderr: 'pulling busybox\nwarning: memoryHigh is not there on cgroup v1\n',
    });
    expect(b.status('web')).toBe('running');
    expect(b.maker.made).toEqual([
      {
        ...{ namespace: 'default', id: 'web', labels: {}, baseDir: '/', stdinOnce: false, user: 'app' },
        spec: {
          image: 'busybox',
          args: ['sh', '-c', 'echo $$$$ -n'],
          env: [{ name: 'A', value: '1' }],
          resources: { limits: { memory: '64Mi' } },
          network: { mode: 'None' },
          restartPolicy: 'Never',
        },
      },
    ]);
  });

  it('make up an id where none is given', async () => {
    await using b = await bench();
    const result = await b.run(['create', '--rootfs', 'r', '--', 'sleep', '1']);
    expect(result.stdout).toMatch(/^t-[0-9a-f]{8}\n$/);
    expect(b.status(result.stdout.trim())).toBe('created');
    expect(b.maker.made[0]?.spec).toMatchObject({ rootfs: { path: '/r' }, command: ['sleep', '1'] });
  });

  it('end with the status of the process', async () => {
    await using b = await bench();
    expect((await b.run(['run', '--rootfs', '/r', 'exit', '7'])).status).toBe(7);
    expect((await b.run(['run', '--rm', '--name', 'once', '--rootfs', '/r', 'exit', '3'])).status).toBe(3);
    expect(b.status('once')).toBe('gone');
  });

  it('leave nothing behind when it cannot start, with the status that a shell has', async () => {
    await using b = await bench();
    const { controls } = b.api.node.runtime;
    controls.fail('start', new Error('exec: "nope": executable file not found in $PATH'));
    const result = await b.run(['run', '--name', 'x', '--rootfs', '/r', 'nope']);
    expect(result).toMatchObject({ status: 127 });
    expect(result.stderr).toContain('error: exec: "nope": executable file not found in $PATH\n');
    expect(b.status('x')).toBe('gone');
    controls.fail('start', new Error('exec: "/etc": permission denied'));
    expect((await b.run(['run', '-d', '--rootfs', '/r', '/etc'])).status).toBe(126);
  });

  it('say what is wrong with the arguments', async () => {
    await using b = await bench();
    const say = async (...argv: string[]) => (await b.run(argv)).stderr;
    expect(await say('run')).toBe('error: name an image, or a folder with --rootfs\n');
    expect(await say('run', '--rootfs', '/r')).toContain('--rootfs needs a command');
    expect(await say('run', '-v', 'data', 'i')).toContain(
      '--volume must be SOURCE:/TARGET or SOURCE:/TARGET:ro, not "data"',
    );
    expect(await say('run', '-d', '--rm', 'i')).toContain('--rm waits for the end of the task');
    expect(await say('run', 'nowhere')).toBe('error: spec.image: there is no such image\n');
    expect(await say('run', '--restart', 'maybe', 'i')).toContain('Allowed choices are no, on-failure, always.');
  });

  it('forward signals to the process', async () => {
    await using b = await bench();
    const shell = testShell();
    const running = b.run(['run', '--name', 'web', '--rootfs', '/r', 'forever'], shell);
    await expect.poll(() => b.status('web'), { timeout: 30_000 }).toBe('running');
    await expect.poll(() => shell.signal('SIGTERM'), { timeout: 30_000 }).toBe(true);
    expect((await running).status).toBe(143);
  });
});

describe('runlet logs', () => {
  it('prints each line to the stream it was written to, with times on demand', async () => {
    await using b = await benchWithTasks();
    expect(await b.run(['logs', 'web'])).toEqual({ status: 0, stdout: 'one\nthree\n', stderr: 'two\n' });
    const timed = await b.run(['logs', '-t', '--tail', '5', '--since', '10s', '-f', '--attempt', '2', 'web']);
    expect(timed.stdout).toBe('2026-01-01T00:00:01.000000001Z one\n2026-01-01T00:00:03.000000001Z three\n');
    expect(timed.stderr).toBe('2026-01-01T00:00:02.000000001Z two\n');
    expect(b.logs.asked).toEqual([
      { id: 'web', follow: false },
      { id: 'web', follow: true, tail: 5, sinceMs: 1_699_999_990_000, attempt: 2 },
    ]);
  });

  it('refuses what is no time or number', async () => {
    await using b = await benchWithTasks();
    expect((await b.run(['logs', '--since', 'x', 'web'])).stderr).toContain('--since must be a time such as 10m');
    expect((await b.run(['logs', '--tail', '-1', 'web'])).stderr).toContain('--tail must be a whole number');
  });
});

describe('commands of the node', () => {
  it('list namespaces with their tasks counted', async () => {
    await using b = await benchWithTasks();
    const result = await b.run(['namespaces', '-o', 'json']);
    expect(JSON.parse(result.stdout)).toEqual([
      { name: 'default', tasks: 2, running: 2, labels: {} },
      { name: 'k8s.team-a', tasks: 1, running: 1, labels: {} },
    ]);
    expect((await b.run(['namespaces'])).stdout).toMatch(/^NAME +TASKS +RUNNING +LABELS\ndefault +2 +2 +-\n/);
  });

  it('print how the agent is, with what an administrator should know, and fail while it is not ready', async () => {
    const about = { source: 'https://cluster.test', ready: true as true | string, notes: ['the CRD is old'] };
    await using api = await startApi({
      desired: { describe: () => undefined, withoutTask: () => [], restarts: () => undefined, about: () => about },
    });
    await (await api.node.manager.create(createTask('web'))).start();
    const shell = testShell();
    const run = async (...argv: string[]) =>
      await runCli(argv, { ...shell, env: { ...shell.env, RUNLET_ADDRESS: api.client.address } });
    const said = await run('info', '-o', 'json');
    expect(said.status).toBe(0);
    expect(JSON.parse(said.stdout)).toEqual({
      ...{ version: '0.0.0-test', node: 'node-a', source: 'https://cluster.test', ready: true },
      ...{ tasks: 1, running: 1, notes: ['the CRD is old'] },
    });
    about.ready = 'the API server has not been heard yet';
    const text = await run('info');
    expect(text.status).toBe(1);
    expect(text.stdout).toContain('ready   no: the API server has not been heard yet\n');
    expect(text.stdout).toContain('note    the CRD is old\n');
  });

  it('drain: a line for each task', async () => {
    await using b = await benchWithTasks();
    const result = await b.run(['drain', '--grace', '1s']);
    expect(result.status).toBe(0);
    expect(result.stdout.trim().split('\n').toSorted()).toEqual([
      'default/db stopped',
      'default/web stopped',
      'k8s.team-a/owned stopped',
    ]);
    expect(b.maker.calls).toContain('stop default/web 1000');
  });

  it('pull, list, remove and prune images', async () => {
    await using b = await bench();
    expect(await b.run(['images', 'pull', 'a', 'busy'])).toEqual({
      ...{ status: 0, stdout: 'a\nbusy\n', stderr: 'pulling\nunpacking\npulling\nunpacking\n' },
    });
    expect((await b.run(['images', 'ls'])).stdout).toBe(
      'REFERENCE   ID             SIZE   PULLED   IN-USE\n' +
        'a           0123456789ab   4MiB   0s ago   no\n' +
        'busy        0123456789ab   4MiB   0s ago   yes\n',
    );
    expect(await b.run(['images', 'rm', 'busy', 'a'])).toEqual({
      ...{ status: 1, stdout: 'a\n', stderr: 'error: image busy is in use\n' },
    });
    await b.run(['images', 'pull', 'c']);
    expect((await b.run(['images', 'prune'])).stdout).toBe('c\n4MiB freed\n');
    expect(JSON.parse((await b.run(['-o', 'json', 'images', 'ls'])).stdout)).toMatchObject([
      { reference: 'busy', sizeBytes: 4_194_304, inUse: true },
    ]);
  });

  it('top shows rounds of numbers and ends by itself when told so', async () => {
    await using b = await benchWithTasks();
    const result = await b.run(['top', '--count', '2']);
    expect(result.stdout.match(/^NAMESPACE /gm)).toHaveLength(2);
    expect(result.stdout.match(/^default +web /gm)).toHaveLength(2);
    const screen = await b.run(['top', '--count', '1'], testShell({ tty: true }));
    expect(screen.stdout.startsWith('\u001B[?1049h')).toBe(true);
    expect(screen.stdout.endsWith('\u001B[?25h\u001B[?1049l')).toBe(true);
  });

  it('events prints what happens, in one namespace where one is named', async () => {
    await using b = await benchWithTasks();
    const shell = testShell();
    void b.run(['events', '-o', 'json', '-n', 'default'], shell);
    await expect
      .poll(
        async () => {
          await b.api.node.manager.get(taskRef('owned', 'k8s.team-a')).pause();
          await b.api.node.manager.get(taskRef('owned', 'k8s.team-a')).resume();
          await b.api.node.manager.get(taskRef('web')).pause();
          await b.api.node.manager.get(taskRef('web')).resume();
          return shell.out();
        },
        { timeout: 30_000 },
      )
      .toContain('\n');
    expect(JSON.parse(shell.out().split('\n')[0] ?? '')).toMatchObject({
      ...{ namespace: 'default', timestamp: '2023-11-14T22:13:20.000000000Z', event: { containerId: 'web' } },
    });
  });
});
