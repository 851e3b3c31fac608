import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectSessions, replies } from '#api/client.ts';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { installedCriu } from '../support/criu.ts';
import { eventually } from '../support/node.ts';
import { makePlugin, type Plugin } from '../support/plugin.ts';
import { commandsOf, TaskObjects } from '../support/task-objects.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const namespace = 'team-a';
const objects = `/apis/runlet.dev/v1alpha1/namespaces/${namespace}`;
const pods = '/api/v1/namespaces/runlet-system/pods';
const labels = { 'app.kubernetes.io/name': 'runlet', 'app.kubernetes.io/component': 'agent' };

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly uid: string };
    readonly spec: Readonly<Record<string, unknown>>;
    readonly status?: Readonly<Record<string, unknown>>;
  }[];
}

let server: ApiServer;
let node: AgentNode;
let agent: RunningAgent;
let kubectl: Plugin;
let tasks: TaskObjects;

beforeAll(async () => {
  server = await startApiServer({ kind: 'plain' });
  node = makeAgentNode();
  tasks = await TaskObjects.inNamespace(server, namespace);
  await server.kubectl(['create', 'namespace', 'runlet-system']);
  agent = await startAgent();
  kubectl = makePlugin({ folder: node.folder, kubeconfig: server.kubeconfig(admin), portOf: streamPort });
  await makeAgentPod();
  await runTask('web', 'trap "echo told; exit 3" TERM; trap "echo hup" HUP; echo begins; while :; do sleep 0.1; done');
});

afterAll(async () => {
  await node?.clean();
  await server?.[Symbol.asyncDispose]();
});

async function startAgent(): Promise<RunningAgent> {
  return await node.start({
    flags: [
      ...['--kubeconfig', server.kubeconfig(admin), '--rootfs-allow', node.folder],
      ...['--stream-address', '127.0.0.1:0'],
    ],
    env: { PATH: `${dirname(installedCriu())}:${process.env['PATH']}` },
  });
}

function streamPort(): number {
  const line = agent.logLines().find(({ streamAddress }) => streamAddress !== undefined);
  return Number(String(line?.['streamAddress']).split(':').at(-1));
}

/** As the DaemonSet would make it; nothing runs in it, because the agent of this test is a process beside. */
async function makeAgentPod(): Promise<void> {
  const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'runlet', uid: 'u1', controller: true };
  const metadata = { name: 'runlet-abc', labels, ownerReferences: [owner] };
  const ports = [{ name: 'stream', containerPort: 9621 }];
  const spec = {
    nodeName: 'test-node',
    containers: [{ name: 'agent', image: 'runlet', ports }],
    automountServiceAccountToken: false,
  };
  const accounts = '/api/v1/namespaces/runlet-system/serviceaccounts';
  await server.request('POST', accounts, { metadata: { name: 'default' } });
  expect((await server.request('POST', pods, { metadata, spec })).status).toBe(201);
  const merge = 'application/merge-patch+json';
  await server.request('PATCH', `${pods}/runlet-abc/status`, { status: { phase: 'Running' } }, merge);
}

async function runTask(name: string, script: string, more: object = {}): Promise<void> {
  await tasks.create('nodetasks', name, {
    ...{ rootfs: { path: node.rootfs }, command: ['/bin/sh', '-c', script] },
    ...more,
  });
  await server.kubectl(['-n', namespace, 'wait', '--for=condition=Ready', `nodetask/${name}`, '--timeout=60s']);
}

const run = async (argv: readonly string[], input?: string) => await kubectl.run([...argv, '-n', namespace], input);

/** Words after the flags of the plugin. */
const exec = (flags: readonly string[], name: string, ...command: string[]) => [
  ...['exec', ...flags, '-n', namespace, name, '--'],
  ...command,
];

async function sessions(plural: string): Promise<Listed['items']> {
  return ((await server.request('GET', `${objects}/${plural}`)).body as unknown as Listed).items;
}

/** The session that was made last, once it has ended. */
async function lastSession(plural: string, before: readonly string[]): Promise<Listed['items'][number]> {
  return await eventually(
    async () => (await sessions(plural)).find(({ metadata }) => !before.includes(metadata.uid)),
    (found) => found?.status?.['finishedAt'] !== undefined,
    'a session that has ended',
  ).then((found) => found!);
}

const uids = async (plural: string) => (await sessions(plural)).map(({ metadata }) => metadata.uid);

const commands = () => commandsOf(node);

/** Shows a secret for a session object of these fields, as the plugin does; resolves with what the agent answers. */
async function show(
  plural: string,
  kind: string,
  options: { readonly spec?: object; readonly secret?: string; readonly uid?: string; readonly waitMs?: number } = {},
): Promise<{ readonly answers: readonly string[]; readonly name: string; readonly uid: string }> {
  const secretSHA256 = createHash('sha256').update('right').digest('hex');
  const spec = { nodeName: 'test-node', taskName: 'web', secretSHA256, ...options.spec };
  const object = { apiVersion: 'runlet.dev/v1alpha1', kind, metadata: { generateName: 'made-' }, spec };
  const { status, body } = await server.request('POST', `${objects}/${plural}`, object);
  expect(status, JSON.stringify(body)).toBe(201);
  const { name, uid } = (body as { metadata: { name: string; uid: string } }).metadata;
  if (options.waitMs) await new Promise((resolve) => setTimeout(resolve, options.waitMs));
  const ticket = { kind, namespace, name, uid: options.uid ?? uid, secret: options.secret ?? 'right' };
  return { answers: await talk(ticket), name, uid };
}

async function talk(ticket: { kind: string; namespace: string; name: string; uid: string; secret: string }) {
  using client = connectSessions(streamPort());
  const stream = client.open();
  stream.on('error', () => {});
  const value = { ...ticket, secret: Buffer.from(ticket.secret), size: undefined, logs: undefined, top: undefined };
  stream.write({ message: { $case: 'ticket', value } });
  const answers: string[] = [];
  try {
    for await (const { message } of replies(stream)) answers.push(message?.$case ?? '');
  } catch (error) {
    answers.push(error instanceof Error ? error.message : '');
  }
  return answers;
}

const statusOf = async (plural: string, name: string) =>
  ((await server.request('GET', `${objects}/${plural}/${name}`)).body as Listed['items'][number]).status;

describe('kubectl runlet exec in a session', () => {
  it('hands pipes and the exit status on, and says in the object who came and how it ended', async () => {
    const before = await uids('nodetaskexecsessions');
    const script = 'read line; echo "out $line"; echo err >&2; exit 7';
    expect(await kubectl.run(exec(['-i'], 'web', 'sh', '-c', script), 'in\nmore\n')).toEqual({
      ...{ status: 7, stdout: 'out in\n', stderr: 'err\n' },
    });
    const { spec, status } = await lastSession('nodetaskexecsessions', before);
    expect(spec['secretSHA256']).toMatch(/^[0-9a-f]{64}$/);
    expect(status).toMatchObject({ state: 'Failed', reason: 'NonZeroExit', exitStatus: 7 });
    expect(status?.['startedAt']).toBeDefined();
    const large = 'x'.repeat(300_000);
    const copied = await kubectl.run(exec(['-i'], 'web', 'cat'), large);
    expect(copied).toMatchObject({ status: 0, stderr: '' });
    expect(copied.stdout.length).toBe(large.length);
  });

  it('gives a terminal its size, keys and signals, and leaves ours as it was', async () => {
    const fifo = `${node.folder}/resize`;
    const before = `terminal=$(tty); mkfifo ${fifo}; (read x < ${fifo}; stty rows 41 cols 123 < $terminal) &`;
    await using shell = kubectl.onTerminal(exec(['-it'], 'web', 'sh'), { before, after: 'stty -a; exit $status' });
    shell.type('stty size; tty; echo $TERM\r');
    await shell.shows(/30 100\r+\n\/dev\/pts\/\d+\r+\nxterm/);
    shell.type('sleep 1000\r');
    await eventually(commands, (lines) => lines.includes('sleep 1000'), 'it sleeps');
    shell.type('\x03');
    await eventually(commands, (lines) => !lines.includes('sleep 1000'), 'Ctrl-C has ended it');
    shell.type('stty size\r');
    await shell.shows(/\n30 100\r/);
    writeFileSync(fifo, 'now\n');
    await eventually(
      async () => (await kubectl.run(exec(['-i'], 'web', 'sh', '-c', 'stty size < /dev/pts/0'))).stdout,
      (size) => size === '41 123\n',
      'the terminal has its new size',
    );
    shell.type('exit 5\r');
    expect(await shell.end()).toBe(5);
    expect(shell.out).toMatch(/ icanon/);
  });

  it('hands Ctrl-C on where there is no terminal', async () => {
    const script = 'trap "echo got; exit 4" INT; echo ready; while :; do sleep 0.1; done';
    await using running = kubectl.start(...exec(['-i'], 'web', 'sh', '-c', script));
    await running.shows('ready');
    running.kill('SIGINT');
    expect(await running.end()).toBe(4);
    expect(running.out).toBe('ready\ngot\n');
  });

  it('leaves nothing in the task of a client that has gone', async () => {
    const before = await uids('nodetaskexecsessions');
    const script = '(setsid sleep 4721 &); sleep 4722 & echo ready; trap "" HUP; sleep 4723';
    await using running = kubectl.start(...exec(['-i'], 'web', 'sh', '-c', script));
    await running.shows('ready');
    running.kill('SIGKILL');
    const { status } = await lastSession('nodetaskexecsessions', before);
    expect(status).toMatchObject({ state: 'Failed', reason: 'ClientGone' });
    expect(commands().filter((line) => line.includes('sleep 472'))).toEqual([]);
  });

  it('ends with its object', async () => {
    const before = await uids('nodetaskexecsessions');
    await using running = kubectl.start(...exec(['-i'], 'web', 'sh', '-c', 'echo ready; sleep 4724'));
    await running.shows('ready');
    const made = (await sessions('nodetaskexecsessions')).find(({ metadata }) => !before.includes(metadata.uid));
    await server.request('DELETE', `${objects}/nodetaskexecsessions/${made?.metadata.name}`);
    expect(await running.end()).toBe(1);
    expect(running.err).toContain(`the object ${made?.metadata.name} was deleted`);
    expect(commands()).not.toContain('sleep 4724');
  });
});

describe('kubectl runlet attach', () => {
  it('talks with a terminal of the task, and lets go of it by its keys', async () => {
    const script = 'while read line; do echo "heard $line"; done; exit 6';
    await runTask('talker', script, { tty: true, stdin: true, restartPolicy: 'Never' });
    await using first = kubectl.onTerminal(['attach', '-n', namespace, 'talker']);
    first.type('one\r');
    await first.shows('heard one');
    first.type('\x10\x11');
    await first.shows('`kubectl runlet attach talker` connects again');
    expect(await first.end()).toBe(0);
    await using second = kubectl.onTerminal(['attach', '-n', namespace, 'talker']);
    second.type('two\r');
    await second.shows('heard two');
    second.type('\x04');
    expect(await second.end()).toBe(6);
  });

  it('shows the output of a task without a terminal', async () => {
    await using watching = kubectl.start('attach', '--no-stdin', '-n', namespace, 'web');
    // What is written before it is connected, it does not see.
    await eventually(
      async () => {
        await run(['kill', '-s', 'HUP', 'web']);
        return watching.out;
      },
      (text) => text.includes('hup'),
      'it shows what the task writes',
    );
    watching.kill('SIGINT');
    expect(await watching.end()).toBe(130);
  });
});

describe('kubectl runlet logs', () => {
  it('follows a log to the task’s end, and prints the last lines of one that has ended', async () => {
    const script = 'echo err >&2; echo first; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo last';
    await runTask('ends', script, { restartPolicy: 'Never' });
    await using following = kubectl.start('logs', '-f', '-n', namespace, 'ends');
    await following.shows('first\n');
    await following.shows('err\n');
    await kubectl.run(exec(['-i'], 'ends', 'touch', '/tmp/go'));
    expect(await following.end()).toBe(0);
    expect(following.out).toBe('first\nlast\n');
    expect(following.err).toBe('err\n');
    expect(await run(['logs', '--tail', '1', 'ends'])).toEqual({ status: 0, stdout: 'last\n', stderr: '' });
    expect((await run(['logs', '--timestamps', 'ends'])).stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+\S* first\n/);
    expect(await run(['top', 'ends'])).toMatchObject({ status: 1 });
  });
});

describe('the other verbs', () => {
  it('print what a task uses', async () => {
    const { status, stdout } = await run(['top', 'web']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ID +CPU +.*\nweb +\d/);
  });

  it('freeze a task, let it go on, and restart it', async () => {
    expect(await run(['pause', 'web'])).toMatchObject({ status: 0, stdout: 'nodetasks.runlet.dev/web paused\n' });
    const refused = await kubectl.run(exec(['-i'], 'web', 'true'));
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('paused');
    expect(await run(['resume', 'web'])).toMatchObject({ status: 0, stdout: 'nodetasks.runlet.dev/web running\n' });
    expect(await run(['restart', 'web'])).toMatchObject({ status: 0, stdout: 'nodetasks.runlet.dev/web restarted\n' });
    const { stdout } = await run(['describe', 'web']);
    expect(stdout).toMatch(/State: +Running/);
    expect(stdout).toMatch(/Restarts: +1/);
    expect(stdout).toMatch(/NodeTaskExecSession +web-\w+ +Failed/);
  });

  it('signal a task, run a recorded command in it, and dump it', async () => {
    expect(await run(['kill', '-s', 'HUP', 'web'])).toMatchObject({
      ...{ status: 0, stdout: 'nodetasks.runlet.dev/web signalled HUP\n' },
    });
    await eventually(
      async () => (await run(['logs', 'web'])).stdout,
      (text) => text.includes('hup'),
      'it has heard the signal',
    );
    const recorded = await kubectl.run(exec([], 'web', 'sh', '-c', 'echo out; exit 3'));
    expect(recorded).toEqual({ status: 3, stdout: 'out\n', stderr: '' });
    const dumped = await run(['checkpoint', 'web', '--name', 'dump']);
    expect(dumped, dumped.stderr).toMatchObject({ status: 0 });
    expect(dumped.stdout).toMatch(/^nodetaskcheckpoints\.runlet\.dev\/dump checkpoints\/team-a\/\S+\n$/);
  });
});

describe('a session is refused', () => {
  it('to who may not announce one, in the API server’s words', async () => {
    const roles = '/apis/rbac.authorization.k8s.io/v1';
    const rules = [
      { apiGroups: ['runlet.dev'], resources: ['nodetasks'], verbs: ['get'] },
      { apiGroups: ['runlet.dev'], resources: ['nodetasklogsessions'], verbs: ['create'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
    ];
    await server.request('POST', `${roles}/clusterroles`, { metadata: { name: 'reader' }, rules });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }];
    await server.request('POST', `${roles}/clusterrolebindings`, { metadata: { name: 'jane' }, roleRef, subjects });
    const before = commands().length;
    const { status, stderr } = await kubectl.run(['exec', '-i', 'web', '--as', 'jane', '-n', namespace, '--', 'id']);
    expect(status).toBe(1);
    expect(stderr).toContain('User "jane" cannot create resource "nodetaskexecsessions" in API group "runlet.dev"');
    expect(await run(['logs', '--tail', '1', 'web', '--as', 'jane'])).toMatchObject({ status: 0, stderr: '' });
    expect(commands().length).toBeLessThanOrEqual(before + 1);
  });

  it('without a task, an agent, or a task of that UID', async () => {
    expect((await run(['logs', 'nobody'])).stderr).toContain('nodetasks.runlet.dev "nobody" not found');
    const away = { nodeName: 'other-node', image: 'registry.test/app:1' };
    const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'away' }, spec: away };
    await server.request('POST', `${objects}/nodetasks`, object);
    expect((await run(['logs', 'away'])).stderr).toContain("agent's pod on node other-node is not there");
    const kind = ['nodetasktopsessions', 'NodeTaskTopSession'] as const;
    expect((await show(...kind, { spec: { taskName: 'away' } })).answers[0]).toContain('there is no NodeTask');
    expect((await show(...kind, { spec: { nodeName: 'other-node' } })).answers[0]).toContain('is for node other-node');
    expect((await show(...kind, { spec: { taskUID: 'x' } })).answers[0]).toContain('is another one');
    expect((await show(...kind, { uid: 'x' })).answers[0]).toContain('there is no such session');
  });

  it('to a wrong secret, which takes the right one its use', async () => {
    const wrong = await show('nodetaskexecsessions', 'NodeTaskExecSession', {
      spec: { command: ['/bin/touch', '/tmp/wrong'], ttlSecondsAfterFinished: 3 },
      secret: 'wrong',
    });
    expect(wrong.answers).toEqual([expect.stringContaining('the secret is not that of') as string]);
    const ticket = { kind: 'NodeTaskExecSession', namespace, ...wrong };
    expect((await talk({ ...ticket, secret: 'right' }))[0]).toContain('has been used');
    await eventually(
      async () => (await statusOf('nodetaskexecsessions', wrong.name))?.['reason'],
      (reason) => reason === 'WrongSecret',
      'the object says why',
    );
    expect(await kubectl.run(exec(['-i'], 'web', 'ls', '/tmp/wrong'))).toMatchObject({ status: 1 });
    await eventually(
      async () => await uids('nodetaskexecsessions'),
      (left) => !left.includes(wrong.uid),
      'the object is gone when its time is over',
    );
  });

  it('a second time, and after its time', async () => {
    const kind = ['nodetasktopsessions', 'NodeTaskTopSession'] as const;
    const first = await show(...kind);
    expect(first.answers).toEqual(['started', 'usage', 'usage']);
    const ticket = { kind: 'NodeTaskTopSession', namespace, ...first, secret: 'right' };
    expect((await talk(ticket))[0]).toContain('has been used');
    const late = await show(...kind, { spec: { startDeadlineSeconds: 1 }, waitMs: 3500 });
    expect(late.answers[0]).toContain('was to be opened within 1 s');
    await eventually(
      async () => (await statusOf(kind[0], late.name))?.['reason'],
      (reason) => reason === 'StartDeadlineExceeded',
      'the object says why',
    );
  });
});

describe('an agent that is killed in the middle', () => {
  it('breaks the connection, and the next one says that nobody knows and ends what is left', async () => {
    const before = await uids('nodetaskexecsessions');
    await using running = kubectl.start(...exec(['-i'], 'web', 'sh', '-c', 'echo ready; sleep 4725'));
    await running.shows('ready');
    await agent.stop('SIGKILL');
    expect(await running.end()).toBe(1);
    expect(running.err).toContain('the connection to the agent broke');
    agent = await startAgent();
    const { status, metadata } = await lastSession('nodetaskexecsessions', before);
    expect(status).toMatchObject({ state: 'Unknown', reason: 'AgentStopped' });
    await eventually(commands, (lines) => !lines.includes('sleep 4725'), 'its program is gone');
    const ticket = { kind: 'NodeTaskExecSession', namespace, ...metadata, secret: 'right' };
    expect((await talk(ticket))[0]).toContain('has been used');
  });

  it('told to stop, ends programs itself and says so', async () => {
    const before = await uids('nodetaskexecsessions');
    await using running = kubectl.start(...exec(['-i'], 'web', 'sh', '-c', 'echo ready; sleep 4726'));
    await running.shows('ready');
    await agent.stop('SIGTERM');
    expect(await running.end()).toBe(1);
    expect(running.err).toContain('the agent is stopping');
    expect(commands()).not.toContain('sleep 4726');
    agent = await startAgent();
    const { status } = await lastSession('nodetaskexecsessions', before);
    expect(status).toMatchObject({ state: 'Failed', reason: 'AgentStopped' });
  });
});
