import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { installedCriu } from '../support/criu.ts';
import { eventually } from '../support/node.ts';
import { commandsOf, TaskObjects, type Plural } from '../support/task-objects.ts';

const namespace = 'team-a';

interface Seen {
  readonly metadata?: {
    readonly uid: string;
    readonly finalizers?: readonly string[];
    readonly ownerReferences?: readonly { readonly kind: string; readonly uid: string }[];
  };
  readonly status?: Readonly<Record<string, unknown>> & {
    readonly state?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  };
}

/** A task that counts into a file of its own and tells of HUP. */
const script =
  'trap "echo hup >> /tmp/told" HUP; trap "exit 0" TERM; i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.05; done';

describe('requests about a task', () => {
  let server: ApiServer;
  let objects: TaskObjects;
  let node: AgentNode;
  let agent: RunningAgent;
  const criu = installedCriu();

  beforeAll(async () => {
    server = await startApiServer({ kind: 'plain' });
    node = makeAgentNode();
    objects = await TaskObjects.inNamespace(server, namespace);
    agent = await startAgent();
    await runTask('web');
  });

  afterAll(async () => {
    await node?.clean();
    await server?.[Symbol.asyncDispose]();
  });

  const startAgent = async () =>
    await node.start({
      flags: ['--kubeconfig', server.kubeconfig(admin), '--rootfs-allow', node.folder],
      env: { PATH: `${dirname(criu)}:${process.env['PATH']}` },
    });

  const create = async (plural: Plural, name: string, spec: object) => await objects.create(plural, name, spec);

  const read = async (plural: Plural, name: string) => (await objects.read(plural, name)) as Seen;

  async function runTask(name: string, more: object = {}): Promise<Seen> {
    await create('nodetasks', name, { rootfs: { path: node.rootfs }, command: ['/bin/sh', '-c', script], ...more });
    return await eventually(
      async () => await read('nodetasks', name),
      (seen) => seen.status?.state === 'Running',
      `${name} runs`,
    );
  }

  async function finished(plural: Plural, name: string): Promise<NonNullable<Seen['status']>> {
    const { status } = await eventually(
      async () => await read(plural, name),
      (seen) => seen.status?.conditions?.some((one) => one.type === 'Finished' && one.status === 'True') ?? false,
      `${name} is finished`,
    );
    if (!status) throw new Error('unreachable');
    return status;
  }

  async function exec(name: string, spec: object): Promise<NonNullable<Seen['status']>> {
    await create('nodetaskexecs', name, { taskName: 'web', ...spec });
    return await finished('nodetaskexecs', name);
  }

  const commands = () => commandsOf(node);

  it('runs a program in the task, keeps what it wrote and how it ended, and belongs to the task', async () => {
    const right = await exec('right', {
      command: ['/bin/sh', '-c', 'echo out $A; echo err >&2; id -u; pwd'],
      env: [{ name: 'A', value: '7' }],
      workingDir: '/tmp',
      requestedBy: 'alice',
    });
    expect(right).toMatchObject({
      ...{ state: 'Succeeded', exitStatus: 0, stdout: 'out 7\n0\n/tmp\n', stderr: 'err\n', truncated: false },
      message: expect.stringContaining('requested by alice, unverified') as string,
    });
    const wrong = await exec('wrong', { command: ['/bin/sh', '-c', 'exit 3'] });
    expect(wrong).toMatchObject({ state: 'Failed', reason: 'NonZeroExit', exitStatus: 3 });
    expect(await exec('none', { command: ['/no/such/program'] })).toMatchObject({ reason: 'StartFailed' });
    const long = await exec('long', { command: ['/bin/sh', '-c', 'echo first; seq 1 20000; echo last'] });
    expect(long).toMatchObject({ state: 'Succeeded', truncated: true });
    expect(String(long['stdout'])).toMatch(/^first\n[^]*output left out[^]*\nlast\n$/);
    const { metadata } = await read('nodetasks', 'web');
    const owned = await eventually(
      async () => (await read('nodetaskexecs', 'right')).metadata?.ownerReferences,
      (owners) => owners !== undefined,
      'the owner is named',
    );
    expect(owned).toMatchObject([{ kind: 'NodeTask', uid: metadata?.uid }]);
  });

  it('ends all processes of a program that takes too long, also those that have left it', async () => {
    const command = ['/bin/sh', '-c', '(setsid sleep 4711 &); sleep 4712 & sleep 4713'];
    expect(await exec('slow', { command, timeoutSeconds: 1 })).toMatchObject({ state: 'Failed', reason: 'Timeout' });
    expect(commands().filter((line) => line.includes('sleep 471'))).toEqual([]);
    expect((await read('nodetasks', 'web')).status?.state).toBe('Running');
  });

  it('waits for a task, and says what is wrong when none comes', async () => {
    await create('nodetaskexecs', 'early', { taskName: 'later', command: ['/bin/true'] });
    await eventually(
      async () => (await read('nodetaskexecs', 'early')).status,
      (status) => status?.state === 'Pending' && status['reason'] === 'TaskNotFound',
      'it waits',
    );
    await runTask('later');
    expect(await finished('nodetaskexecs', 'early')).toMatchObject({ state: 'Succeeded' });
    const lost = { taskName: 'nobody', startDeadlineSeconds: 0 };
    expect(await exec('lost', { ...lost, command: ['/bin/true'] })).toMatchObject({ reason: 'TaskNotFound' });
    await create('nodetasks', 'away', { nodeName: 'other-node', image: 'busybox:1' });
    expect(await exec('astray', { taskName: 'away', command: ['/bin/true'] })).toMatchObject({
      reason: 'NodeMismatch',
    });
    expect(await exec('pinned', { taskUID: 'another', command: ['/bin/true'] })).toMatchObject({ state: 'Failed' });
  });

  it('sends a signal to the first process or to all, and deletes the object when its time is over', async () => {
    await create('nodetasksignals', 'hup', { taskName: 'web', signal: 'SIGHUP', ttlSecondsAfterFinished: 2 });
    await eventually(
      async () => (await exec(`told-${Date.now()}`, { command: ['/bin/cat', '/tmp/told'] }))['stdout'],
      (text) => String(text).includes('hup'),
      'the task has heard it',
    );
    await create('nodetasksignals', 'all', { taskName: 'later', signal: 'KILL', scope: 'All' });
    const all = await finished('nodetasksignals', 'all');
    expect(all).toMatchObject({ state: 'Succeeded' });
    expect(all['delivered']).toBeGreaterThan(0);
    await eventually(
      async () => (await read('nodetasksignals', 'hup')).metadata?.uid,
      (uid) => uid === undefined,
      'the object is gone',
    );
  });

  it('dumps a task with what it wrote, and starts another from it', async () => {
    await create('nodetaskcheckpoints', 'c1', { taskName: 'web' });
    const saved = await finished('nodetaskcheckpoints', 'c1');
    expect(saved, JSON.stringify(saved)).toMatchObject({ state: 'Succeeded' });
    expect(saved['frozenMilliseconds']).toBeGreaterThan(0);
    expect(saved['sizeBytes']).toBeGreaterThan(4096);
    const folder = join(node.root, String(saved['path']));
    expect(existsSync(join(folder, 'images/inventory.img'))).toBe(true);
    expect(readFileSync(join(folder, 'upper/tmp/told'), 'utf8')).toContain('hup');
    expect((await read('nodetasks', 'web')).status).toMatchObject({ state: 'Running', restartCount: 0 });
    const counted = Number(readFileSync(join(folder, 'upper/tmp/n'), 'utf8'));
    await runTask('copy', { restoreFrom: { checkpointName: 'c1' } });
    const { stdout } = await exec('counts', { taskName: 'copy', command: ['/bin/cat', '/tmp/n', '/tmp/told'] });
    expect(Number.parseInt(String(stdout), 10)).toBeGreaterThanOrEqual(counted);
    expect(stdout).toContain('hup');
    await create('nodetasks', 'other', {
      ...{ rootfs: { path: node.rootfs }, command: ['/bin/sh', '-c', script] },
      ...{ restoreFrom: { checkpointName: 'c1' }, securityContext: { capabilities: { add: ['SYS_ADMIN'] } } },
    });
    const refused = await eventually(
      async () => (await read('nodetasks', 'other')).status?.conditions?.find(({ type }) => type === 'Ready'),
      (ready) => ready?.reason === 'RestoreRefused',
      'it is refused',
    );
    expect(refused).toMatchObject({ message: expect.stringContaining('capabilities') as string });
    await server.kubectl(['-n', namespace, 'delete', 'nodetaskcheckpoint', 'c1', '--timeout=60s']);
    expect(existsSync(folder)).toBe(false);
  });

  it('never tries again what was under way when the agent was killed, and ends what is left of it', async () => {
    const command = ['/bin/sh', '-c', 'echo ran >> /tmp/runs; sleep 4714'];
    await create('nodetaskexecs', 'hidden', { taskName: 'web', command });
    await eventually(commands, (lines) => lines.some((line) => line === 'sleep 4714'), 'it runs');
    await agent.stop('SIGKILL');
    agent = await startAgent();
    expect(await finished('nodetaskexecs', 'hidden')).toMatchObject({ state: 'Unknown', reason: 'AgentStopped' });
    await eventually(commands, (lines) => !lines.includes('sleep 4714'), 'its processes are gone');
    expect(await exec('runs', { command: ['/bin/cat', '/tmp/runs'] })).toMatchObject({ stdout: 'ran\n' });
  });
});
