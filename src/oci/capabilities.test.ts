import { describe, expect, it } from 'vitest';
import { allCapabilities, defaultCapabilities, parseCapability, resolveCapabilities } from './capabilities.ts';

describe('parseCapability', () => {
  it('takes any usual spelling and refuses others', () => {
    expect(['NET_ADMIN', 'cap_net_admin', 'CAP_NET_ADMIN'].map(parseCapability)).toEqual(
      Array.from({ length: 3 }, () => 'CAP_NET_ADMIN'),
    );
    expect(parseCapability('CAP_EVERYTHING')).toBeUndefined();
  });
});

const resolve = (change: { add?: string[]; drop?: string[] }) => resolveCapabilities(defaultCapabilities, change);

describe('resolveCapabilities', () => {
  it('is the base where nothing is asked', () => {
    expect(resolve({})).toEqual(defaultCapabilities);
  });

  it('adds and drops single ones', () => {
    expect(resolve({ add: ['NET_ADMIN'], drop: ['CHOWN'] })).toEqual(
      allCapabilities.filter(
        (name) => name === 'CAP_NET_ADMIN' || (defaultCapabilities.includes(name) && name !== 'CAP_CHOWN'),
      ),
    );
  });

  it('lets a single name beat ALL', () => {
    expect(resolve({ drop: ['ALL'], add: ['KILL'] })).toEqual(['CAP_KILL']);
    expect(resolve({ add: ['all'], drop: ['KILL'] })).toEqual(allCapabilities.filter((name) => name !== 'CAP_KILL'));
  });

  it('lets drop win where both say the same', () => {
    expect(resolve({ add: ['ALL'], drop: ['ALL'] })).toEqual([]);
    expect(resolve({ add: ['NET_RAW'], drop: ['NET_RAW'] })).toEqual(defaultCapabilities);
  });
});
