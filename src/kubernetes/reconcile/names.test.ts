import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isIdentifier } from '#task/ids.ts';
import { toNamespace, toTaskRef } from './names.ts';

describe('toNamespace', () => {
  it('puts k8s. before the name of a Kubernetes namespace', () => {
    expect(toNamespace('default')).toBe('k8s.default');
    expect(toNamespace('team-a')).toBe('k8s.team-a');
  });

  it('shortens and hashes what containerd does not take', () => {
    expect(toNamespace('team--a')).toMatch(/^k8s\.team-a\.[0-9a-f]{10}$/);
    expect(toNamespace('team--a')).not.toBe(toNamespace('team---a'));
  });

  it('makes an identifier of every name that Kubernetes has', () => {
    const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
    const all = fc.property(label, (name) => isIdentifier(toNamespace(name)));
    expect(() => fc.assert(all)).not.toThrow();
  });

  it('makes names of objects tasks of that namespace', () => {
    expect(toTaskRef({ namespace: 'default', name: 'a.b-c' })).toEqual({ namespace: 'k8s.default', id: 'a.b-c' });
    expect(() => toTaskRef({ namespace: 'default', name: 'a--b' })).toThrow('must match');
  });
});
