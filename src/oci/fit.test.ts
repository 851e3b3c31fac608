import { describe, expect, it } from 'vitest';
import { allCapabilities } from './capabilities.ts';
import { fitToMachine } from './fit.ts';
import { toMachineLimits, type MachineLimits } from './machine.ts';
import type { RuntimeSpec } from './runtime-spec.ts';

const able: MachineLimits = {
  architecture: 'amd64',
  capabilities: allCapabilities,
  seccomp: true,
  appArmorProfiles: [],
  oomScoreAdj: -500,
  hardLimits: { RLIMIT_NOFILE: 1000 },
  cgroup: { version: 2, controllers: [], swap: true, hugePageSizes: [], cpus: '0', mems: '0' },
};
const unable: MachineLimits = {
  ...able,
  capabilities: ['CAP_CHOWN'],
  seccomp: false,
};
const spec: RuntimeSpec = {
  ociVersion: '1.0.2',
  process: {
    user: { uid: 0, gid: 0 },
    args: ['/bin/true'],
    cwd: '/',
    oomScoreAdj: -900,
    apparmorProfile: 'runlet',
    capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'], effective: ['CAP_KILL'] },
    rlimits: [
      { type: 'RLIMIT_NOFILE', soft: 5000, hard: 9000 },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
    ],
  },
  linux: { seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } },
};

describe('fitToMachine', () => {
  it('changes nothing where the machine can do all of it', () => {
    expect(fitToMachine(spec, able)).toEqual({ spec, warnings: [] });
  });

  it('leaves out what it cannot do, each with a sentence', () => {
    const { appArmorProfiles: _, ...withoutAppArmor } = unable;
    const { spec: fitted, warnings } = fitToMachine(spec, withoutAppArmor);
    expect(fitted.process).toEqual({
      user: { uid: 0, gid: 0 },
      args: ['/bin/true'],
      cwd: '/',
      capabilities: { bounding: ['CAP_CHOWN'], effective: [] },
      rlimits: [
        { type: 'RLIMIT_NOFILE', soft: 1000, hard: 1000 },
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      ],
    });
    expect(fitted.linux).toEqual({});
    expect(warnings).toHaveLength(5);
    expect(warnings.join('\n')).toMatch(/oom_score_adj[^]*AppArmor[^]*CAP_KILL[^]*RLIMIT_NOFILE[^]*seccomp/);
  });

  it('keeps a score that the agent may give', () => {
    const mild = {
      ...spec,
      process: { ...spec.process, args: [], cwd: '/', user: { uid: 0, gid: 0 }, oomScoreAdj: 10 },
    };
    expect(fitToMachine(mild, unable).spec.process?.oomScoreAdj).toBe(10);
  });
});

describe('toMachineLimits', () => {
  it('names the capabilities of the bits', () => {
    const { capabilities: _, ...facts } = able;
    expect(toMachineLimits({ ...facts, capabilityBits: 0b10_0001n }).capabilities).toEqual(['CAP_CHOWN', 'CAP_KILL']);
  });
});
