import { describe, expect, it } from 'vitest';
import { parseNamespace, parseTaskId } from '#task/ids.ts';
import { cgroupPlaces } from './cgroup-places.ts';

const ref = { namespace: parseNamespace('k8s.team-a'), id: parseTaskId('web') };

describe('cgroupPlaces with cgroupfs', () => {
  const { parent, pathOf } = cgroupPlaces({ cgroupDriver: 'cgroupfs', cgroupParent: '/runlet' });

  it('puts a task below parent and namespace', () => {
    expect(parent).toBe('/runlet');
    expect(pathOf(ref)).toBe('/runlet/k8s.team-a/web');
  });

  it('evades the names of the kernel’s files', () => {
    expect(pathOf({ namespace: parseNamespace('tasks'), id: parseTaskId('memory.stat') })).toBe(
      '/runlet/tasks_/memory.stat_',
    );
    expect(pathOf(ref, '/tasks/web')).toBe('/runlet/tasks_/web');
  });

  it.each([
    ['/default/web', '/runlet/default/web'],
    ['default/web/', '/runlet/default/web'],
    ['/../../system.slice', '/runlet/system.slice'],
    ['a//b/./c', '/runlet/a/b/c'],
    ['/', '/runlet/k8s.team-a/web'],
    ['..', '/runlet/k8s.team-a/web'],
  ])('places what a client asks for, %s, at %s', (requested, path) => {
    expect(pathOf(ref, requested)).toBe(path);
  });
});

describe('cgroupPlaces with systemd', () => {
  const { parent, pathOf } = cgroupPlaces({ cgroupDriver: 'systemd', cgroupParent: 'node-runlet.slice' });

  it('names a scope that no other task has', () => {
    expect(parent).toBe('/node.slice/node-runlet.slice');
    expect(pathOf(ref)).toBe('node-runlet.slice:runlet-k8s.team-a-:web');
    const other = { namespace: parseNamespace('k8s.team'), id: parseTaskId('a-web') };
    expect(pathOf(other)).not.toBe(pathOf(ref));
  });

  it('keeps what a client asks for in the slice', () => {
    expect(pathOf(ref, 'system.slice:ctr:web')).toBe('node-runlet.slice:runlet-api-:system.slice--ctr--web');
    expect(pathOf(ref, '/default/web')).toBe('node-runlet.slice:runlet-api-:default--web');
  });
});
