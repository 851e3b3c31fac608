import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { installedCriu } from '../support/criu.ts';
import { eventually } from '../support/node.ts';
import { TaskObjects, type Plural } from '../support/task-objects.ts';

const namespace = 'team-a';

interface Seen {
  readonly metadata?: { readonly uid: string };
  readonly status?: {
    readonly state?: string;
    readonly path?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}

/** Counts into a file of its own layer. */
const script = 'i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.02; done';

const from = (checkpointName: string) => ({ restoreFrom: { checkpointName } });

describe('a NodeTask that begins from a checkpoint', () => {
  let server: ApiServer;
  let objects: TaskObjects;
  let node: AgentNode;
  let agent: RunningAgent;
  const criu = installedCriu();

  beforeAll(async () => {
    server = await startApiServer({ kind: 'plain' });
    node = makeAgentNode();
    objects = await TaskObjects.inNamespace(server, namespace);
    agent = await startAgent('3');
  });

  afterAll(async () => {
    await node?.clean();
    await server?.[Symbol.asyncDispose]();
  });

  const startAgent = async (maxCount: string) =>
    await node.start({
      flags: [
        ...['--kubeconfig', server.kubeconfig(admin), '--rootfs-allow', node.folder],
        ...['--checkpoint-max-count', maxCount],
      ],
      env: { PATH: `${dirname(criu)}:${process.env['PATH']}` },
    });

  const create = async (plural: Plural, name: string, spec: object) => await objects.create(plural, name, spec);

  const read = async (plural: Plural, name: string) => (await objects.read(plural, name)) as Seen;

  const task = (more: object = {}) => ({ rootfs: { path: node.rootfs }, command: ['/bin/sh', '-c', script], ...more });

  async function condition(plural: Plural, name: string, type: string, reason: string) {
    const found = await eventually(
      async () => (await read(plural, name)).status?.conditions?.find((one) => one.type === type),
      (one) => one?.reason === reason,
      `${name} is ${type} for ${reason}`,
    );
    if (!found) throw new Error('unreachable');
    return found;
  }

  /** Dumps a task and ends it; the folder of the data. */
  async function dumped(name: string, checkpoint: string, more: object = {}): Promise<string> {
    await create('nodetasks', name, task(more));
    await condition('nodetasks', name, 'Ready', 'Running');
    await create('nodetaskcheckpoints', checkpoint, { taskName: name, afterCheckpoint: 'Stop' });
    await condition('nodetaskcheckpoints', checkpoint, 'Succeeded', 'Completed');
    return join(node.root, String((await read('nodetaskcheckpoints', checkpoint)).status?.path));
  }

  const eventsOf = async (name: string) =>
    await server.kubectl(['-n', namespace, 'get', 'events.events.k8s.io', `--field-selector=regarding.name=${name}`]);

  it('waits for a checkpoint that is not there, then goes on from it and tells so', async () => {
    await create('nodetasks', 'early', task(from('good')));
    expect(await condition('nodetasks', 'early', 'Ready', 'Pending')).toMatchObject({
      message: expect.stringContaining('NodeTaskCheckpoint good is not there on this node: waiting for it') as string,
    });
    await dumped('web', 'good');
    await condition('nodetasks', 'early', 'Ready', 'Running');
    await eventually(
      async () => await eventsOf('early'),
      (text) => /Restored/.test(text) && /Started/.test(text),
      'both events are there',
    );
  });

  it('is refused for good when its checkpoint has failed', async () => {
    await create('nodetaskcheckpoints', 'failed', { taskName: 'nobody', startDeadlineSeconds: 0 });
    await condition('nodetaskcheckpoints', 'failed', 'Succeeded', 'TaskNotFound');
    await create('nodetasks', 'never', task(from('failed')));
    expect(await condition('nodetasks', 'never', 'Ready', 'RestoreRefused')).toMatchObject({
      message: expect.stringContaining('it is Failed (TaskNotFound)') as string,
    });
    await condition('nodetasks', 'never', 'Stalled', 'RestoreRefused');
  });

  it('is refused, and nothing of it runs, when its processes have more than it may, whatever the record says', async () => {
    const wide = { capabilities: { add: ['NET_RAW'] } };
    const folder = await dumped('wide', 'forged', { securityContext: wide });
    const manifest = join(folder, 'checkpoint.json');
    // The record claims what a narrow task has; the processes in the images have more.
    writeFileSync(manifest, JSON.stringify(JSON.parse(readFileSync(manifest, 'utf8'), withoutNetRaw)));
    const reached = readFileSync(join(folder, 'upper/tmp/n'), 'utf8');
    await create('nodetasks', 'narrow', task(from('forged')));
    const refused = await condition('nodetasks', 'narrow', 'Ready', 'RestoreRefused');
    expect(refused.message).toMatch(
      /killed before it ran: process 1 \(sh\): CapPrm holds NET_RAW; .*CapBnd holds NET_RAW/,
    );
    expect(readFileSync(join(folder, 'upper/tmp/n'), 'utf8')).toBe(reached);
    expect((await read('nodetasks', 'narrow')).status).not.toHaveProperty('pid');
    await eventually(
      async () => await eventsOf('narrow'),
      (events) => events.includes('RestoreRefused'),
      'the event is there',
    );
  });

  it('finds its checkpoint evicted when the node keeps fewer, also across a crash of the agent', async () => {
    await agent.stop('SIGKILL');
    const before = await read('nodetaskcheckpoints', 'good');
    const data = join(node.root, String(before.status?.path));
    expect(existsSync(data)).toBe(true);
    agent = await startAgent('1');
    const available = await condition('nodetaskcheckpoints', 'good', 'Available', 'Evicted');
    expect(available).toMatchObject({
      ...{ status: 'False', message: expect.stringContaining('--checkpoint-max-count (1)') as string },
    });
    expect(existsSync(data)).toBe(false);
    expect((await read('nodetaskcheckpoints', 'good')).status?.state).toBe('Succeeded');
    expect(await condition('nodetaskcheckpoints', 'forged', 'Available', 'Completed')).toMatchObject({
      status: 'True',
    });
    await create('nodetasks', 'late', task(from('good')));
    expect(await condition('nodetasks', 'late', 'Ready', 'RestoreRefused')).toMatchObject({
      message: expect.stringContaining('was evicted') as string,
    });
  });
});

/** Takes one capability out of every set. */
function withoutNetRaw(_key: string, value: unknown): unknown {
  return Array.isArray(value) ? value.filter((each) => each !== 'CAP_NET_RAW') : value;
}
