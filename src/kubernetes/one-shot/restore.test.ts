import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TerminalError, UnavailableError } from '#errors/errors.ts';
import { makeFolder } from '#host/files.ts';
import { validateNodeTask } from '../node-task/validate.ts';
import { checkpointPath, writeManifest } from './checkpoint-folder.ts';
import { digestImages } from './image-digests.ts';
import { failed, succeeded, unknown } from './record.ts';
import { readRequest, type OneShotRequest } from './request.ts';
import { checkSameRights, checkSameTask, savedTask, type NamedCheckpoint } from './restore.ts';

const runtime = {
  ociVersion: '1.0.2',
  process: { cwd: '/', user: { uid: 1, gid: 1 }, capabilities: { bounding: ['CAP_KILL'] }, noNewPrivileges: true },
  linux: { namespaces: [{ type: 'pid' as const }, { type: 'network' as const }] },
};

function taskOf(more: object = {}) {
  const { task } = validateNodeTask(
    {
      ...{ apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'web' } },
      spec: { nodeName: 'a', image: 'busybox:1', volumes: [{ name: 'v', emptyDir: {} }], ...more },
    },
    { source: 'cluster', nodeName: 'a' },
  );
  if (!task) throw new Error('no valid task');
  return task;
}

function specOf(more: object = {}) {
  return taskOf(more).spec;
}

const manifest = { uid: 'c', taskUID: 't', imageDigest: 'sha256:1', runtime, createdAt: '', spec: { ...specOf() } };

describe('a restore', () => {
  it('takes a task that is as it was dumped, whatever its other fields say', () => {
    expect(() => checkSameTask(manifest, specOf({ restartPolicy: 'Never' }), 'sha256:1')).not.toThrow();
    expect(() => checkSameRights(manifest, structuredClone(runtime))).not.toThrow();
  });

  it.each([
    ['spec.image', { image: 'busybox:2' }],
    ['spec.volumes', { volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }] }],
    ['spec.volumeMounts', { volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
    ['spec.tty', { tty: true }],
  ])('refuses another %s and names it', (field, more) => {
    expect(() => checkSameTask(manifest, specOf(more), 'sha256:1')).toThrow(
      expect.objectContaining({ reason: 'RestoreRefused', message: expect.stringContaining(`${field}:`) as string }),
    );
  });

  it('refuses a tag that leads to another image by now', () => {
    expect(() => checkSameTask(manifest, specOf(), 'sha256:2')).toThrow(/spec\.image: its tag leads to another image/);
  });

  it.each([
    ['runAsUser', { ...runtime, process: { ...runtime.process, user: { uid: 0, gid: 0 } } }],
    ['capabilities', { ...runtime, process: { ...runtime.process, capabilities: { bounding: [] } } }],
    ['allowPrivilegeEscalation', { ...runtime, process: { ...runtime.process, noNewPrivileges: false } }],
    ['seccompProfile', { ...runtime, linux: { ...runtime.linux, seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } } }],
    ['network.mode', { ...runtime, linux: { namespaces: [{ type: 'pid' as const }] } }],
  ])('refuses other rights: %s', (field, spec) => {
    expect(() => checkSameRights(manifest, spec)).toThrow(field);
  });
});

function request(status?: object, metadata: object = {}): OneShotRequest {
  return readRequest('NodeTaskCheckpoint', {
    ...{ apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTaskCheckpoint' },
    metadata: { name: 'c1', namespace: 'default', uid: 'c', resourceVersion: '1', ...metadata },
    spec: { nodeName: 'a', taskName: 'web' },
    ...(status ? { status } : {}),
  });
}

describe('a checkpoint that is named', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const look = (checkpoint: Partial<NamedCheckpoint>) =>
    savedTask({ root, name: 'c1', request: request(), outcome: undefined, ...checkpoint }, taskOf(), 'sha256:1');

  it('is waited for while it is not there, not finished or on its way out', async () => {
    await expect(look({ request: undefined })).rejects.toThrow(
      /NodeTaskCheckpoint c1 is not there on this node: waiting/,
    );
    await expect(look({})).rejects.toThrow(/is not finished: waiting/);
    await expect(look({ request: request({ state: 'Running' }) })).rejects.toThrow(UnavailableError);
    const deleting = request(undefined, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    await expect(look({ request: deleting })).rejects.toThrow(/is being deleted: waiting/);
  });

  it.each([
    ['has failed', { outcome: failed('CheckpointFailed', 'no') }, /is Failed \(CheckpointFailed\)/],
    ['was never done', { outcome: failed('TaskNotRunning', 'no') }, /is Failed \(TaskNotRunning\)/],
    ['nobody knows the end of', { outcome: unknown('crash') }, /is Unknown \(AgentStopped\)/],
    ['has failed by its status alone', { request: request({ state: 'Failed' }) }, /is Failed \(by its status\)/],
    ['has lost its data', { outcome: succeeded('done') }, /has no data on this node any more/],
  ])('is refused for good when it %s', async (_, checkpoint, said) => {
    const refused = look(checkpoint);
    await expect(refused).rejects.toThrow(TerminalError);
    await expect(refused).rejects.toThrow(
      expect.objectContaining({ reason: 'RestoreRefused', message: expect.stringMatching(said) as string }),
    );
  });

  it('is taken when its data are there', async () => {
    const folder = join(root, checkpointPath({ namespace: 'default', uid: 'c' }));
    await makeFolder(folder);
    await writeManifest(folder, manifest);
    expect(await look({ outcome: succeeded('done') })).toMatchObject({ images: join(folder, 'images') });
  });

  it('is refused when one of its images is not what was dumped', async () => {
    const folder = join(root, checkpointPath({ namespace: 'default', uid: 'c' }));
    const images = join(folder, 'images');
    await makeFolder(images);
    writeFileSync(join(images, 'core-1.img'), 'who it is');
    writeFileSync(join(images, 'seccomp.img'), 'its filter');
    writeFileSync(join(images, 'pages-1.img'), 'memory');
    await writeManifest(folder, { ...manifest, images: await digestImages(images) });
    const outcome = succeeded('done');
    await expect(look({ outcome })).resolves.toBeDefined();
    for (const [name, text, other] of [
      ['seccomp.img', 'its filter', 'a filter'],
      ['pages-1.img', 'memory', 'memory and more'],
      ['ids-1.img', undefined, 'a stranger'],
    ] as const) {
      writeFileSync(join(images, name), other);
      await expect(look({ outcome }), name).rejects.toThrow(`other images than were dumped: ${name}`);
      if (text === undefined) rmSync(join(images, name));
      else writeFileSync(join(images, name), text);
    }
    rmSync(join(images, 'core-1.img'));
    await expect(look({ outcome })).rejects.toThrow('other images than were dumped: core-1.img');
  });
});
