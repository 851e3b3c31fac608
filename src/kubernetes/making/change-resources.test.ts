import { describe, expect, it } from 'vitest';
import type { MachineLimits } from '#oci/machine.ts';
import { changeResources } from './change-resources.ts';

const machine: MachineLimits = {
  architecture: 'amd64',
  capabilities: [],
  seccomp: true,
  oomScoreAdj: 0,
  hardLimits: {},
  cgroup: {
    version: 1,
    controllers: ['cpu', 'cpuset', 'memory', 'pids', 'blkio'],
    swap: false,
    hugePageSizes: [],
    cpus: '0-1',
    mems: '0',
  },
};
const context = { machine: () => machine, defaultPidsLimit: 2048 };

function change(before: unknown, named: unknown) {
  const changed = changeResources(before, named, context);
  if ('problems' in changed) throw new Error(changed.problems.map(({ path, rule }) => `${path}: ${rule}`).join('; '));
  return changed;
}

describe('changeResources', () => {
  it('keeps what is not named, of limits and of the rest', () => {
    const before = { image: 'x', resources: { limits: { memory: '64Mi', cpu: '1' }, cpuset: { cpus: '0' } } };
    const { spec, linux } = change(before, { limits: { cpu: '500m' } });
    expect(spec).toEqual({
      image: 'x',
      resources: { limits: { memory: '64Mi', cpu: '500m' }, cpuset: { cpus: '0' } },
    });
    expect(linux).toMatchObject({
      cpu: { quota: 50_000, period: 100_000, cpus: '0' },
      memory: { limit: 64 * 1024 * 1024 },
      pids: { limit: 2048 },
    });
  });

  it('writes only what is named of a task that no spec describes', () => {
    expect(change(undefined, { limits: { pids: '2048' } }).linux).toEqual({ pids: { limit: 2048 } });
    expect(change(undefined, { limits: { memory: '32Mi' } }).linux).toEqual({ memory: { limit: 32 * 1024 * 1024 } });
    expect(change(undefined, { limits: { cpu: '1' } }).linux).toEqual({
      cpu: { shares: 1024, quota: 100_000, period: 100_000 },
    });
  });

  it('tells what the machine cannot do', () => {
    expect(change({}, { memoryHigh: '32Mi' }).notSupported).toEqual(['memoryHigh']);
  });

  it.each([
    [{ limits: { cpu: 'much' } }, /limits\.cpu/],
    [{ limits: { gpus: '1' } }, /gpus: is no known resource/],
    [{ colour: 'red' }, /colour: is no known field/],
    ['all', /must be a map/],
  ])('refuses %j by its field', (named, message) => {
    expect(() => change({}, named)).toThrow(message);
  });
});
