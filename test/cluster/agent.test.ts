import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { eventually } from '../support/node.ts';

const namespace = 'team-a';

interface Seen {
  readonly metadata: { readonly uid: string; readonly finalizers?: readonly string[] };
  readonly status?: {
    readonly state?: string;
    readonly pid?: number;
    readonly restartCount?: number;
    readonly lastTermination?: { readonly exitStatus: number };
    readonly exitStatus?: number;
    readonly resources?: { readonly limits?: Readonly<Record<string, string>> };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}

describe.each(['plain', 'modern'] as const)('an agent that follows a %s API server', (kind) => {
  let server: ApiServer;
  let proxy: FaultProxy;
  let node: AgentNode;
  let agent: RunningAgent;

  beforeAll(async () => {
    server = await startApiServer({ kind });
    const certificate = server.authority.sign('proxy', '/CN=proxy');
    proxy = await FaultProxy.start({ target: server.url, targetCa: server.caFile, certificate });
    node = makeAgentNode();
    await server.kubectl(['create', 'namespace', namespace]);
    await server.kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=privileged']);
    agent = await startAgent();
  });

  afterAll(async () => {
    await node?.clean();
    await proxy?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  async function startAgent(): Promise<RunningAgent> {
    const kubeconfig = server.kubeconfig(admin, proxy.url);
    return await node.start({ flags: ['--kubeconfig', kubeconfig, '--rootfs-allow', node.folder] });
  }

  async function apply(name: string, spec: object = {}): Promise<void> {
    const loop = ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];
    const whole = { nodeName: 'test-node', rootfs: { path: node.rootfs }, command: loop, ...spec };
    const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name, namespace }, spec: whole };
    await server.kubectl(['apply', '--validate=false', '-f', '-'], JSON.stringify(object));
  }

  const patch = async (name: string, spec: object) =>
    await server.kubectl(['-n', namespace, 'patch', 'rlt', name, '--type=merge', '-p', JSON.stringify({ spec })]);

  const wait = async (name: string, what: string) =>
    await server.kubectl(['-n', namespace, 'wait', `--for=${what}`, `nodetasks.runlet.dev/${name}`, '--timeout=60s']);

  const read = async (name: string) =>
    (await server.request('GET', `/apis/runlet.dev/v1alpha1/namespaces/${namespace}/nodetasks/${name}`))
      .body as unknown as Seen;

  const reaches = async (name: string, good: (seen: Seen) => boolean, what: string) =>
    await eventually(async () => await read(name), good, what);

  const remove = async (name: string) =>
    await server.kubectl(['-n', namespace, 'delete', 'rlt', name, '--timeout=60s']);

  it('runs, pauses, resumes, limits and stops a task by kubectl, which waits for each of it', async () => {
    await apply('demo');
    await wait('demo', 'condition=Ready');
    await wait('demo', 'jsonpath={.status.state}=Running');
    const { metadata, status } = await read('demo');
    expect(metadata.finalizers).toEqual(['runlet.dev/cleanup']);
    expect(node.running()).not.toEqual([]);
    for (const [runState, state] of [
      ['Paused', 'Paused'],
      ['Running', 'Running'],
    ] as const) {
      await patch('demo', { runState });
      await wait('demo', 'condition=Ready');
      // the condition names its generation, so that kubectl waits for that of the patch
      expect((await read('demo')).status?.state).toBe(state);
      expect((await read('demo')).status?.pid).toBe(status?.pid);
    }
    await patch('demo', { resources: { limits: { memory: '64Mi', pids: '50' } } });
    await reaches('demo', (seen) => seen.status?.resources?.limits?.['memory'] === '64Mi', 'the limit');
    expect((await read('demo')).status?.restartCount).toBe(0);
    await patch('demo', { runState: 'Stopped' });
    await wait('demo', 'jsonpath={.status.state}=Stopped');
    await remove('demo');
    await eventually(
      () => node.leftovers(),
      (left) => left.every((line) => !line.includes('demo')),
      'all is removed',
    );
  });

  it('says how a task ended, and deletes its object when its time is over', async () => {
    await apply('once', { restartPolicy: 'Never', command: ['/bin/sh', '-c', 'exit 3'] });
    await wait('once', 'condition=Succeeded=False');
    const { status } = await read('once');
    expect(status).toMatchObject({ state: 'Stopped', exitStatus: 3 });
    expect(status?.conditions?.find(({ type }) => type === 'Succeeded')?.reason).toBe('Error');
    await eventually(
      async () =>
        await server.kubectl(['-n', namespace, 'get', 'events.events.k8s.io', '--field-selector=regarding.name=once']),
      (text) => text.includes('Started') && text.includes('Exited'),
      'the events',
    );
    await patch('once', { ttlSecondsAfterFinished: 0 });
    await eventually(
      async () => (await read('once')).metadata.uid,
      (uid) => uid === undefined,
      'the object is gone',
    );
  });

  it('keeps a task running over restarts of the agent, and never confuses an object with its namesake', async () => {
    await apply('twin');
    await wait('twin', 'condition=Ready');
    const before = await read('twin');
    await agent.stop('SIGKILL');
    agent = await startAgent();
    await apply('after');
    await wait('after', 'condition=Ready');
    expect((await read('twin')).status).toMatchObject({ pid: before.status?.pid, restartCount: 0, state: 'Running' });
    await agent.stop('SIGTERM');
    await server.kubectl([
      '-n',
      namespace,
      'patch',
      'rlt',
      'twin',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":null}}',
    ]);
    await remove('twin');
    await apply('twin');
    agent = await startAgent();
    await wait('twin', 'condition=Ready');
    const after = await read('twin');
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    expect(after.status?.pid).not.toBe(before.status?.pid);
    expect(() => process.kill(before.status?.pid ?? 0, 0)).toThrow('ESRCH');
    await remove('after');
    await remove('twin');
  });

  it('lets tasks run while the API server is away, also over a restart, and removes those deleted meanwhile', async () => {
    await apply('stays');
    await apply('goes');
    await wait('stays', 'condition=Ready');
    await wait('goes', 'condition=Ready');
    const pids = { stays: (await read('stays')).status?.pid ?? 0, goes: (await read('goes')).status?.pid ?? 0 };
    await proxy.down();
    await agent.stop('SIGKILL');
    agent = await startAgent();
    for (const pid of Object.values(pids)) expect(() => process.kill(pid, 0)).not.toThrow();
    await server.kubectl([
      '-n',
      namespace,
      'patch',
      'rlt',
      'goes',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":null}}',
    ]);
    await remove('goes');
    await patch('stays', { runState: 'Paused' });
    await proxy.up();
    await wait('stays', 'jsonpath={.status.state}=Paused');
    expect((await read('stays')).status?.pid).toBe(pids.stays);
    await eventually(
      () => isAlive(pids.goes),
      (alive) => !alive,
      'the task of the deleted object is gone',
    );
    await remove('stays');
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
