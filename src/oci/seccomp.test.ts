import { describe, expect, it } from 'vitest';
import { allCapabilities, defaultCapabilities } from './capabilities.ts';
import { defaultSeccomp } from './seccomp.ts';

function actionOf(name: string, capabilities: readonly string[]): string {
  const rule = defaultSeccomp(capabilities, 'amd64').syscalls?.find(({ names, args }) => !args && names.includes(name));
  return rule ? `${rule.action}${rule.errnoRet === undefined ? '' : ` ${rule.errnoRet}`}` : 'default';
}

function clone(capabilities: readonly string[]): unknown {
  return defaultSeccomp(capabilities, 'amd64').syscalls?.filter(({ names }) => names.includes('clone'));
}

describe('defaultSeccomp', () => {
  it('allows what programs need and refuses what changes the machine', () => {
    expect(actionOf('read', defaultCapabilities)).toBe('SCMP_ACT_ALLOW');
    for (const name of ['mount', 'reboot', 'init_module', 'bpf']) {
      expect(actionOf(name, defaultCapabilities), `call ${name}`).toBe('SCMP_ACT_ERRNO 1');
    }
  });

  it('allows the calls of the capabilities that are given', () => {
    expect(actionOf('mount', ['CAP_SYS_ADMIN'])).toBe('SCMP_ACT_ALLOW');
    expect(actionOf('chroot', ['CAP_SYS_CHROOT'])).toBe('SCMP_ACT_ALLOW');
    expect(actionOf('chroot', [])).toBe('SCMP_ACT_ERRNO 1');
  });

  it('answers ENOSYS to what it does not know, clone3 among it', () => {
    const profile = defaultSeccomp(defaultCapabilities, 'amd64');
    expect(profile).toMatchObject({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 38 });
    expect(actionOf('clone3', defaultCapabilities)).toBe('default');
    expect(actionOf('clone3', allCapabilities)).toBe('SCMP_ACT_ALLOW');
  });

  it('lets clone make no namespaces without CAP_SYS_ADMIN', () => {
    expect(clone(defaultCapabilities)).toEqual([
      {
        names: ['clone'],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      },
    ]);
    expect(clone(allCapabilities)).toEqual([{ names: ['clone'], action: 'SCMP_ACT_ALLOW' }]);
  });

  it('never says two things of one call', () => {
    for (const capabilities of [[], defaultCapabilities, allCapabilities]) {
      const rules = defaultSeccomp(capabilities, 'arm64').syscalls?.filter(({ args }) => !args) ?? [];
      const names = rules.flatMap((rule) => [...new Set(rule.names)]);
      expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    }
  });

  it('names the instruction sets of its machine', () => {
    expect(defaultSeccomp([], 'arm64').architectures).toContain('SCMP_ARCH_AARCH64');
    expect(defaultSeccomp([], 'amd64').architectures).toContain('SCMP_ARCH_X86_64');
  });
});
