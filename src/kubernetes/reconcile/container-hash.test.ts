import { describe, expect, it } from 'vitest';
import { nodeTask } from '../../../test/support/fake-source.ts';
import { containerHash } from './container-hash.ts';

function hashOf(spec: Readonly<Record<string, unknown>>): string {
  return containerHash(nodeTask('web', spec).spec);
}

describe('containerHash', () => {
  it.each([
    [{ runState: 'Paused' }],
    [{ resources: { limits: { cpu: '1' } } }],
    [{ restartPolicy: 'Never' }],
    [{ stopSignal: 'INT' }],
    [{ terminationGracePeriodSeconds: 1 }],
    [{ activeDeadlineSeconds: 1 }],
    [{ ttlSecondsAfterFinished: 1 }],
    [{ imagePullPolicy: 'Never' }],
    [{ rebootPolicy: 'StartFromCache' }],
    [{ nodeName: 'node-b' }],
    [{ restoreFrom: { checkpointName: 'c' } }],
  ])('is the same with %j, which changes in place or never', (spec) => {
    expect(hashOf(spec)).toBe(hashOf({}));
  });

  it.each([
    [{ image: 'registry.test/app:2' }],
    [{ command: ['/bin/sh'] }],
    [{ args: ['-c'] }],
    [{ workingDir: '/srv' }],
    [{ env: [{ name: 'A', value: '1' }] }],
    [{ tty: true }],
    [{ stdin: true }],
    [{ volumes: [{ name: 'v', emptyDir: {} }] }],
    [{ securityContext: { runAsUser: 1 } }],
    [{ network: { mode: 'Host' } }],
  ])('is another with %j', (spec) => {
    expect(hashOf(spec)).not.toBe(hashOf({}));
  });

  it('does not depend on the order of fields, but on that of lists', () => {
    const env = [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ];
    expect(hashOf({ tty: true, env })).toBe(
      hashOf({ env: env.map(({ name, value }) => ({ value, name })), tty: true }),
    );
    expect(hashOf({ env })).not.toBe(hashOf({ env: env.toReversed() }));
  });
});
