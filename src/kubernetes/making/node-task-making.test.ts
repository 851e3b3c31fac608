import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Images } from '#images/images.ts';
import { silentLog } from '#log/log.ts';
import { ContainerStore } from '#task/containers.ts';
import { memoryRecords } from '../../../test/support/api.ts';
import { FakeImages } from '../../../test/support/fake-images.ts';
import { createTask, recoveredNode, taskRef, type FakeNode } from '../../../test/support/tasks.ts';
import { noConfigSource } from '../node-task/config-source.ts';
import type { NodeTask } from '../node-task/types.ts';
import { validateNodeTask } from '../node-task/validate.ts';
import type { MakeOptions } from './making.ts';
import { NodeTaskMaking } from './node-task-making.ts';
import { usualPolicy } from './prepare.ts';

let folder: string;
let node: FakeNode;
let images: FakeImages;
let containers: ContainerStore;
let making: NodeTaskMaking;
let kept: number;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  node = await recoveredNode();
  images = new FakeImages();
  containers = new ContainerStore({ records: memoryRecords(), clock: node.clock, onChange: () => {} });
  kept = 0;
  making = new NodeTaskMaking({
    ...{ tasks: node.manager, containers, clock: node.clock, log: silentLog() },
    // Of a whole store only what making asks of it.
    images: images as unknown as Images,
    root: join(folder, 'root'),
    logDir: join(folder, 'logs'),
    hostPathAllow: [],
    defaultPidsLimit: 2048,
    machine: () => ({
      ...{ architecture: 'amd64', capabilities: [], seccomp: true, oomScoreAdj: 0, hardLimits: {} },
      cgroup: { version: 1, controllers: ['pids'], swap: false, hugePageSizes: [], cpus: '0', mems: '0' },
    }),
    logsKept: () => {
      kept += 1;
    },
  });
});
afterEach(async () => {
  await node.manager.close();
  rmSync(folder, { recursive: true });
});

const ref = taskRef('web', 'k8s.default');

function nodeTask(spec: object = {}): NodeTask {
  const { task, problems } = validateNodeTask(
    {
      ...{ apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'web' } },
      spec: { image: 'busybox:1.37', command: ['forever'], ...spec },
    },
    { source: 'local', nodeName: 'n' },
  );
  if (!task) throw new Error(JSON.stringify(problems));
  return task;
}

const options: MakeOptions = { ref, attempt: 0, trust: 'cluster', owner: { uid: 'u1' }, config: noConfigSource };

const make = (spec?: object, more: Partial<MakeOptions> = {}) => making.make(nodeTask(spec), { ...options, ...more });

/** The folders of an object's volumes and logs. */
const volumes = () => join(folder, 'root/volumes/k8s.default/web');
const logs = () => join(folder, 'logs/k8s.default');

describe('making a task', () => {
  it('writes whose it is into the task, and how to make it again into the container', async () => {
    images.config = { stopSignal: 'SIGQUIT' };
    const made = await make({}, { attempt: 3 });
    expect(made.task.status).toBe('created');
    expect(made.task.record.owner).toEqual({ uid: 'u1', maker: 'runlet', attempt: '3' });
    expect(made.task.record.io).toEqual({
      ...{ kind: 'log', terminal: false, stdin: false },
      path: join(logs(), 'web/3.log'),
    });
    expect(made.stopSignal).toBe(3);
    expect(containers.get(ref)).toMatchObject({
      image: 'busybox:1.37',
      recipe: { attempt: 3, stopSignal: 3, imageDigest: 'sha256:d' },
    });
  });

  it.each(['ensure', 'rootfs', 'userOf'] as const)('leaves nothing when the images fail at %s', async (at) => {
    images.failure = { at, error: new Error('no') };
    await expect(make()).rejects.toThrow('no');
    expect([...images.made]).toEqual([]);
    expect(existsSync(volumes())).toBe(false);
    expect(containers.list()).toEqual([]);
  });

  it('leaves nothing when the specification is not admitted or the runtime fails', async () => {
    const admit = vi.fn<() => Promise<void>>().mockRejectedValue(new Error('not here'));
    await expect(make({}, { admit })).rejects.toThrow('not here');
    node.runtime.controls.fail('create', new Error('no memory'));
    await expect(make()).rejects.toThrow('no memory');
    expect([...images.made]).toEqual([]);
    expect(existsSync(volumes())).toBe(false);
    expect(node.manager.list()).toEqual([]);
    expect(containers.list()).toEqual([]);
  });

  it('asks for images that move on each time', () => {
    expect(
      ['a', 'a:latest', 'r:5000/a', 'a:1', 'r:5000/a:1', 'a@sha256:0', 'a:latest@sha256:0'].map(usualPolicy),
    ).toEqual(['Always', 'Always', 'Always', 'IfNotPresent', 'IfNotPresent', 'IfNotPresent', 'IfNotPresent']);
  });

  it('refuses a name that is taken and leaves its task alone', async () => {
    await make();
    await expect(make()).rejects.toThrow('task k8s.default/web already exists: it is created');
    expect([...images.made]).toEqual(['k8s.default/web']);
  });
});

describe('the end of a run', () => {
  it('takes task and layer away; container, volumes and logs stay for the next one', async () => {
    await make();
    await making.endRun(ref);
    expect([node.manager.find(ref), [...images.made]]).toEqual([undefined, []]);
    expect(existsSync(volumes())).toBe(true);
    await make({}, { attempt: 1 });
    expect(containers.get(ref).recipe?.attempt).toBe(1);
  });

  it('is done when it was done before', async () => {
    await making.endRun(ref);
    await making.remove(ref, {});
    expect(containers.list()).toEqual([]);
  });
});

describe('removing an object', () => {
  it('keeps its logs under its UID, and says so', async () => {
    await make();
    await making.remove(ref, { keepLogsAs: 'u1' });
    expect(readdirSync(logs())).toEqual(['web_u1']);
    expect(kept).toBe(1);
    expect([containers.list(), existsSync(volumes()), [...images.made]]).toEqual([[], false, []]);
  });

  it('removes them as well where nobody asked for them', async () => {
    await make();
    await making.remove(ref, {});
    expect(readdirSync(logs())).toEqual([]);
    expect(kept).toBe(0);
  });
});

describe('sweeping after a crash', () => {
  it('keeps what is whole', async () => {
    await make();
    await making.sweep();
    expect([node.manager.list().length, [...images.made], existsSync(volumes())]).toEqual([
      1,
      ['k8s.default/web'],
      true,
    ]);
  });

  it('removes a task whose record was not written, with its layer and volumes', async () => {
    await make();
    await containers.delete(ref);
    await making.sweep();
    expect([node.manager.list(), [...images.made], existsSync(volumes())]).toEqual([[], [], false]);
  });

  it('removes the task of a next run that was not written down; the object stays', async () => {
    await make();
    await making.endRun(ref);
    const { request } = await making.prepare(nodeTask(), { ...options, attempt: 1 });
    await node.manager.create(request);
    await making.sweep();
    expect([node.manager.list(), [...images.made]]).toEqual([[], []]);
    expect(existsSync(volumes())).toBe(true);
    expect(containers.get(ref).recipe?.attempt).toBe(0);
  });

  it('removes layers and volumes that nobody owns, and leaves what others made', async () => {
    images.made.add('default/gone');
    mkdirSync(join(folder, 'root/volumes/default/gone'), { recursive: true });
    await node.manager.create(createTask('theirs'));
    await making.sweep();
    expect([...images.made]).toEqual([]);
    expect(existsSync(join(folder, 'root/volumes/default/gone'))).toBe(false);
    expect(node.manager.list()).toHaveLength(1);
  });
});
