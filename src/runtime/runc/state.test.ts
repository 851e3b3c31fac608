import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../../../test/support/thrown.ts';
import { parseRuncState } from './state.ts';

const state = {
  id: 'web',
  init_process_pid: 42,
  init_process_start: 4711,
  cgroup_paths: { '': '/sys/fs/cgroup/unified/web', cpu: '/sys/fs/cgroup/cpu/web' },
  config: { Hooks: { poststop: null } },
  intel_rdt_path: '',
};
const parse = (change: object) => parseRuncState(JSON.stringify({ ...state, ...change }));

describe('parseRuncState', () => {
  it('reads what the fast paths need', () => {
    expect(parse({})).toEqual({
      initPid: 42,
      initStart: '4711',
      cgroupFolders: state.cgroup_paths,
      hasPoststopHooks: false,
      hasIntelRdt: false,
    });
  });

  it('sees what needs the command at the end', () => {
    expect(parse({ config: { Hooks: { poststop: [{ path: '/x' }] } } })?.hasPoststopHooks).toBe(true);
    expect(parse({ config: { intel_rdt: {} } })?.hasIntelRdt).toBe(true);
    expect(parse({ intel_rdt_path: '/sys/fs/resctrl/x' })?.hasIntelRdt).toBe(true);
  });

  it('knows another layout for what it is', () => {
    expect(parse({ init_process_pid: undefined })).toBeUndefined();
    expect(parse({ init_process_start: 'x' })).toBeUndefined();
    expect(parse({ cgroup_paths: ['x'] })).toMatchObject({ cgroupFolders: ['x'] });
    expect(parse({ cgroup_paths: { cpu: 1 } })).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(thrownBy(() => parseRuncState(text))).toBeUndefined();
      }),
    );
  });
});
