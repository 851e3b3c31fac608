import { callsByCapability, harmlessCalls, refusedCalls } from './seccomp-calls.ts';
import type { SeccompRule, SeccompSpec } from './runtime-spec.ts';

/** Architectures that the default profile is written for, as Go names them. */
export type Architecture = 'amd64' | 'arm64';

/** The kernel runs programs of these instruction sets; one that the filter does not name would be killed at its first call. */
const architectures: Readonly<Record<Architecture, readonly string[]>> = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

const EPERM = 1;
const ENOSYS = 38;

/** The bits of clone(2)'s flags that make namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const namespaceFlags = 0x7e_02_00_00;

/** socket(2) families that stay closed: kernel crypto (38) and the hypervisor's (40) have no namespaces. */
const AF_ALG = 38;
const AF_VSOCK = 40;

/**
 * personality(2): the native one, 32-bit Linux, both with an old version number, and the question what it is. Switching
 * off address randomisation is not among them.
 */
const personalities = [0, 0x8, 0x2_00_00, 0x2_00_08, 0xff_ff_ff_ff];

/**
 * The system calls that a container with these capabilities may make. What is known and not allowed answers EPERM; what
 * this table does not know answers ENOSYS, so that programs fall back to older calls. Format: runtime-spec, config-linux.md.
 */
export function defaultSeccomp(capabilities: readonly string[], architecture: Architecture): SeccompSpec {
  const holds = (names: readonly string[]) => names.some((name) => capabilities.includes(name));
  const allowed = callsByCapability.filter((group) => holds(group.capabilities)).flatMap((group) => group.names);
  const refused = callsByCapability.filter((group) => !holds(group.capabilities)).flatMap((group) => group.names);
  const administers = holds(['CAP_SYS_ADMIN']);
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    architectures: architectures[architecture],
    syscalls: [
      { names: [...Object.values(harmlessCalls).flat(), ...allowed], action: 'SCMP_ACT_ALLOW' },
      {
        names: [...refusedCalls, ...refused.filter((name) => name !== 'clone3')],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: EPERM,
      },
      ...personalities.map((value) => allowWhen('personality', { index: 0, value, op: 'SCMP_CMP_EQ' })),
      ...socketRules,
      ...cloneRules(administers),
    ],
  };
}

type Condition = NonNullable<SeccompRule['args']>[number];

function allowWhen(name: string, condition: Condition): SeccompRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [condition] };
}

/**
 * Every family but the closed ones. 32-bit programs' older way, socketcall(2), hides its family from a filter, so it is
 * not there for them: C libraries then use socket(2).
 */
const socketRules: readonly SeccompRule[] = [
  allowWhen('socket', { index: 0, value: AF_ALG, op: 'SCMP_CMP_LT' }),
  allowWhen('socket', { index: 0, value: AF_ALG + 1, op: 'SCMP_CMP_EQ' }),
  allowWhen('socket', { index: 0, value: AF_VSOCK, op: 'SCMP_CMP_GT' }),
];

/**
 * New namespaces only for who administers the system. clone3(2) has its flags in memory, where a filter cannot see them:
 * ENOSYS sends C libraries back to clone(2).
 */
function cloneRules(administers: boolean): readonly SeccompRule[] {
  return administers
    ? [{ names: ['clone'], action: 'SCMP_ACT_ALLOW' }]
    : [allowWhen('clone', { index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' })];
}
