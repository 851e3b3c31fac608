import { describe, expect, it } from 'vitest';
import { validateNodeTask } from '../node-task/validate.ts';
import { checkSameRights, checkSameTask } from './restore.ts';

const runtime = {
  ociVersion: '1.0.2',
  process: { cwd: '/', user: { uid: 1, gid: 1 }, capabilities: { bounding: ['CAP_KILL'] }, noNewPrivileges: true },
  linux: { namespaces: [{ type: 'pid' as const }, { type: 'network' as const }] },
};

function specOf(more: object = {}) {
  const { task } = validateNodeTask(
    {
      ...{ apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'web' } },
      spec: { nodeName: 'a', image: 'busybox:1', volumes: [{ name: 'v', emptyDir: {} }], ...more },
    },
    { source: 'cluster', nodeName: 'a' },
  );
  if (!task) throw new Error('no valid task');
  return task.spec;
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
