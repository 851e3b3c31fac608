import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode, type AgentStart, type RunningAgent } from '../support/agent.ts';
import { AgentTasks } from '../support/agent-tasks.ts';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { reboot } from '../support/boot.ts';
import { eventually } from '../support/node.ts';

const namespace = 'team-a';
const collection = `/apis/runlet.dev/v1alpha1/namespaces/${namespace}/nodetasks`;
const forever = ['/bin/sh', '-c', 'while :; do sleep 1000; done'];

interface Seen {
  readonly metadata?: { readonly uid: string };
  readonly status?: {
    readonly state?: string;
    readonly pid?: number;
    readonly restartCount?: number;
    readonly exitStatus?: number;
    readonly lastTermination?: { readonly reason?: string };
    readonly conditions?: readonly { readonly type: string; readonly reason: string }[];
  };
}

let server: ApiServer;
let node: AgentNode;
let agent: RunningAgent;

beforeEach(async () => {
  server = await startApiServer({ kind: 'plain', crds: ['nodetasks'] });
  node = makeAgentNode();
  const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' };
  await server.request('POST', '/api/v1/namespaces', { metadata: { name: namespace, labels } });
  agent = await startAgent();
});

afterEach(async () => {
  await node?.clean();
  await server?.[Symbol.asyncDispose]();
});

async function startAgent(how: Pick<AgentStart, 'through'> = {}): Promise<RunningAgent> {
  return await node.start({ flags: ['--kubeconfig', server.kubeconfig(admin), '--rootfs-allow', node.folder], ...how });
}

async function create(name: string, spec: object = {}): Promise<void> {
  const whole = { nodeName: 'test-node', rootfs: { path: node.rootfs }, command: forever, ...spec };
  const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name, namespace }, spec: whole };
  const { status, body } = await server.request('POST', collection, object);
  expect(status, JSON.stringify(body)).toBe(201);
}

const read = async (name: string) => (await server.request('GET', `${collection}/${name}`)).body as Seen;

/** Waits until the server says this of an object. */
const says = async (name: string, good: (seen: Seen) => boolean, what: string) =>
  await eventually(async () => await read(name), good, `${name} ${what}`);

/** Creates it and waits until it runs. Returns its pid. */
async function run(name: string, spec: object = {}): Promise<number> {
  await create(name, spec);
  return pidOf((await says(name, ({ status }) => status?.state === 'Running', 'runs')).status?.pid);
}

/** A pid to send signals to: 0 would be the test itself. */
function pidOf(pid: number | undefined): number {
  if (!pid) throw new Error('there is no pid');
  return pid;
}

const onNode = () => new AgentTasks(agent, `k8s.${namespace}`);

/** Waits until the node itself has a process of the task that is none of these. */
async function runsAnew(name: string, former: readonly number[]): Promise<number> {
  const found = await eventually(
    async () => await onNode().find(name),
    (task) => task?.status === 'running' && task.pid > 0 && !former.includes(task.pid),
    `${name} runs anew`,
  );
  return pidOf(found?.pid);
}

const endsOnNode = async (name: string) =>
  await eventually(
    async () => (await onNode().find(name))?.status,
    (status) => status === undefined || status === 'stopped',
    `${name} has ended`,
  );

describe('a node whose API server is away', { timeout: 240_000 }, () => {
  it('restarts, times out and records what ends, and tells all of it when the server is back', async () => {
    const [again, ends, short] = await Promise.all([
      run('again'),
      run('ends', { restartPolicy: 'Never' }),
      run('short', { restartPolicy: 'Never', ttlSecondsAfterFinished: 1 }),
    ]);
    await run('timed', { activeDeadlineSeconds: 10 });
    await server.stop();
    process.kill(again, 'SIGKILL');
    const second = await runsAnew('again', [again]);
    process.kill(second, 'SIGKILL');
    process.kill(ends, 'SIGKILL');
    process.kill(short, 'SIGKILL');
    await endsOnNode('ends');
    await endsOnNode('timed');
    // its back-off, 10 s, passes without the server
    const third = await runsAnew('again', [again, second]);
    await server.start();
    await says('again', ({ status }) => status?.pid === third, 'is told of');
    expect((await read('again')).status).toMatchObject({ state: 'Running', restartCount: 2 });
    await says('ends', ({ status }) => status?.exitStatus === 137, 'has ended');
    const timed = await says('timed', ({ status }) => status?.state === 'Stopped', 'was stopped');
    expect(timed.status?.conditions).toContainEqual(expect.objectContaining({ reason: 'DeadlineExceeded' }));
    await says('short', ({ metadata }) => metadata?.uid === undefined, 'is deleted');
  });

  it('does so for an agent that is killed and started again meanwhile', async () => {
    const again = await run('again');
    const ends = await run('ends', { restartPolicy: 'Never' });
    const stays = await run('stays');
    const paused = await run('paused');
    await server.request(
      'PATCH',
      `${collection}/paused`,
      { spec: { runState: 'Paused' } },
      'application/merge-patch+json',
    );
    await says('paused', ({ status }) => status?.state === 'Paused', 'is paused');
    await server.stop();
    await agent.stop('SIGKILL');
    process.kill(again, 'SIGKILL');
    process.kill(ends, 'SIGKILL');
    agent = await startAgent();
    const second = await runsAnew('again', [again]);
    await endsOnNode('ends');
    expect(await onNode().find('stays')).toMatchObject({ status: 'running', pid: stays });
    expect(await onNode().find('paused')).toMatchObject({ status: 'paused', pid: paused });
    await server.start();
    await says('again', ({ status }) => status?.pid === second, 'is told of');
    expect((await read('again')).status).toMatchObject({ restartCount: 1, lastTermination: { reason: 'Error' } });
    await says('ends', ({ status }) => status?.exitStatus === 137, 'has ended');
    expect((await read('stays')).status).toMatchObject({ pid: stays, restartCount: 0 });
  });
});

describe('a node that was rebooted while its API server is away', { timeout: 240_000 }, () => {
  it('starts those that may start from what is on disk, and the others when the server is heard', async () => {
    const cached = { rebootPolicy: 'StartFromCache' };
    const before = [await run('cached', cached), await run('waits')];
    await run('never', { ...cached, restartPolicy: 'Never' });
    process.kill(await run('over', { ...cached, restartPolicy: 'Never' }), 'SIGKILL');
    await says('over', ({ status }) => status?.state === 'Stopped', 'is over');
    await create('stopped', { ...cached, runState: 'Stopped' });
    await says('stopped', ({ status }) => status?.state === 'Stopped', 'is stopped');
    await agent.stop('SIGKILL');
    await server.stop();
    agent = await startAgent(await reboot(node));
    const pid = await runsAnew('cached', before);
    await eventually(
      async () => (await onNode().find('waits'))?.status,
      (status) => status === 'waitingforapiserver',
      'it waits',
    );
    const alive = (await onNode().list()).filter((task) => task.pid > 0).map((task) => task.id);
    expect(alive).toEqual(['cached']);
    await server.start();
    // what stands there is from before the reboot until it is told of
    await says('waits', ({ status }) => status?.state === 'Running' && status.restartCount === 1, 'runs anew');
    const lost = { restartCount: 1, lastTermination: { reason: 'Lost' } };
    expect((await read('waits')).status).toMatchObject(lost);
    await says('cached', ({ status }) => status?.pid === pid, 'is told of');
    expect((await read('cached')).status).toMatchObject(lost);
    await says('never', ({ status }) => status?.exitStatus === 255, 'is lost');
    expect((await read('over')).status).toMatchObject({ state: 'Stopped', exitStatus: 137, restartCount: 0 });
    expect((await read('stopped')).status).toMatchObject({ state: 'Stopped' });
  });
});
