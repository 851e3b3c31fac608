import { describe, expect, it } from 'vitest';
import { MalformedError } from '#errors/errors.ts';
import type { ProcessSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import { envelopeOf, excesses, labelExcesses } from './envelope.ts';
import { parseThreadRights } from './rights.ts';

interface Given {
  readonly uid?: string;
  readonly gid?: string;
  readonly groups?: string;
  readonly bounding?: string;
  readonly permitted?: string;
  readonly inheritable?: string;
  readonly noNewPrivileges?: string;
  readonly seccomp?: string;
  readonly filters?: string;
}

/** As Linux 6.8 writes it, the lines that rights depend on. */
function status(given: Given = {}): string {
  const { uid = '1000', gid = '1000', permitted = '0000000000000000' } = given;
  return [
    'Name:\tsh',
    `Uid:\t${uid}\t${uid}\t${uid}\t${uid}`,
    `Gid:\t${gid}\t${gid}\t${gid}\t${gid}`,
    `Groups:\t${given.groups ?? '1000'} `,
    'NSpid:\t4711\t7',
    `CapInh:\t${given.inheritable ?? '0000000000000000'}`,
    `CapPrm:\t${permitted}`,
    `CapEff:\t${permitted}`,
    `CapBnd:\t${given.bounding ?? '0000000000000000'}`,
    'CapAmb:\t0000000000000000',
    `NoNewPrivs:\t${given.noNewPrivileges ?? '1'}`,
    `Seccomp:\t${given.seccomp ?? '2'}`,
    `Seccomp_filters:\t${given.filters ?? '1'}`,
    '',
  ].join('\n');
}

function specOf(process: Partial<ProcessSpec> = {}, linux: RuntimeSpec['linux'] = seccomp): RuntimeSpec {
  const user = { uid: 1000, gid: 1000 };
  return { ociVersion: '1.0.2', process: { cwd: '/', user, noNewPrivileges: true, ...process }, linux };
}

const seccomp = { seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } };

function fields(given: Given, spec = specOf()): readonly string[] {
  return excesses(envelopeOf(spec), parseThreadRights(status(given))).map(({ field }) => field);
}

function all(...names: string[]): Pick<ProcessSpec, 'capabilities'> {
  return { capabilities: { bounding: names, permitted: names, effective: names, inheritable: [], ambient: [] } };
}

describe('the envelope of a specification', () => {
  it('holds a thread that has what it says, or less', () => {
    expect(fields({})).toEqual([]);
    const kill = specOf(all('CAP_KILL'));
    expect(fields({ bounding: '0000000000000020', permitted: '0000000000000020' }, kill)).toEqual([]);
    expect(fields({}, kill)).toEqual([]);
  });

  it.each<[string, Given, string[]]>([
    ['a wider bounding set', { bounding: '0000000000200000' }, ['CapBnd']],
    ['permitted capabilities', { permitted: '0000000000000001' }, ['CapPrm', 'CapEff']],
    ['inheritable capabilities', { inheritable: '0000000000000001' }, ['CapInh']],
    ['a capability that nobody knows', { bounding: '8000000000000000' }, ['CapBnd']],
    ['another user', { uid: '0' }, ['Uid']],
    ['another group', { gid: '0' }, ['Gid']],
    ['a group more', { groups: '1000 5' }, ['Groups']],
    ['a way to new rights', { noNewPrivileges: '0' }, ['NoNewPrivs']],
    ['no filter', { seccomp: '0', filters: '0' }, ['Seccomp']],
    ['filters that are none', { filters: '0' }, ['Seccomp']],
  ])('finds %s', (_, given, expected) => {
    expect(fields(given)).toEqual(expected);
  });

  it('names what is held beyond it', () => {
    const [excess] = excesses(envelopeOf(specOf()), parseThreadRights(status({ bounding: '0000000000203000' })));
    expect(excess).toEqual({ field: 'CapBnd', what: 'holds NET_ADMIN, NET_RAW, SYS_ADMIN' });
  });

  it('is as wide as what the task could come to by itself', () => {
    const rises = specOf({ ...all('CAP_NET_RAW'), noNewPrivileges: false });
    const gained = { bounding: '0000000000002000', permitted: '0000000000002000', noNewPrivileges: '0' };
    expect(fields({ ...gained, uid: '0', gid: '0', groups: '0' }, rises)).toEqual([]);
    // Bounded, but held by nobody who could hand it on.
    const { capabilities } = all('CAP_NET_RAW');
    const bounded = specOf({ capabilities: { bounding: capabilities?.bounding ?? [] } });
    expect(fields({ ...gained, noNewPrivileges: '1' }, bounded)).toEqual(['CapPrm', 'CapEff']);
    expect(fields({ uid: '7', gid: '8' }, specOf(all('CAP_SETUID')))).toEqual(['Gid']);
    expect(fields({ uid: '7', gid: '8' }, specOf(all('CAP_SETUID', 'CAP_SETGID')))).toEqual([]);
  });

  it('knows users by the numbers that the node has for them', () => {
    const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const mapped = specOf({}, { ...seccomp, uidMappings: mappings, gidMappings: mappings });
    expect(fields({ uid: '101000', gid: '101000', groups: '101000' }, mapped)).toEqual([]);
    expect(fields({}, mapped)).toEqual(['Uid', 'Gid']);
  });

  it('asks for the label of the security module', () => {
    const armoured = envelopeOf(specOf({ apparmorProfile: 'mine' }));
    expect(labelExcesses(armoured, 'mine (enforce)')).toEqual([]);
    for (const label of ['unconfined', 'mine (complain)', 'other (enforce)', undefined]) {
      expect(labelExcesses(armoured, label).map(({ field }) => field)).toEqual(['attr/current']);
    }
    expect(labelExcesses(envelopeOf(specOf({ apparmorProfile: 'unconfined' })), 'unconfined')).toEqual([]);
    const label = 'system_u:system_r:container_t:s0:c1,c2';
    expect(labelExcesses(envelopeOf(specOf({ selinuxLabel: label })), label)).toEqual([]);
    expect(labelExcesses(envelopeOf(specOf({ selinuxLabel: label })), 'system_u:system_r:spc_t:s0')).toHaveLength(1);
  });

  it('proves nothing by what the kernel does not say', () => {
    for (const field of ['CapBnd', 'NoNewPrivs', 'Seccomp', 'Uid', 'Groups']) {
      const text = status().replace(new RegExp(`^${field}:.*\n`, 'm'), '');
      expect(() => parseThreadRights(text), field).toThrow(MalformedError);
    }
    expect(() => parseThreadRights(status({ bounding: 'zz' }))).toThrow(MalformedError);
  });
});
