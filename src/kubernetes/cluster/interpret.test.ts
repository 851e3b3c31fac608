import { describe, expect, it } from 'vitest';
import { interpret, type Entry } from './interpret.ts';

function read(spec: object, previous?: Entry, uid = 'u1', finalizers: readonly string[] = []) {
  const object = {
    apiVersion: 'runlet.dev/v1alpha1',
    kind: 'NodeTask',
    metadata: { name: 'x', namespace: 'ns', uid, resourceVersion: '1', generation: 2, finalizers },
    spec: { nodeName: 'a', image: 'busybox:1', ...spec },
  };
  return interpret(object, { nodeName: 'a', confirmed: true, previous });
}

describe('interpret', () => {
  it('gives the validated task of a valid object', () => {
    const { source } = read({ runState: 'Paused' });
    expect(source).toMatchObject({
      namespace: 'ns',
      name: 'x',
      uid: 'u1',
      generation: 2,
      deleting: false,
      problems: [],
    });
    expect(source.task?.spec.runState).toBe('Paused');
  });

  it('keeps the last valid task of an object that has turned invalid, and says what is wrong', () => {
    const first = read({ workingDir: '/a' });
    const second = read({ stopSignal: 'NONSENSE' }, first);
    expect(second.source.problems).toHaveLength(1);
    expect(second.source.task?.spec.workingDir).toBe('/a');
    const third = read({ nodeName: 7 }, second);
    expect(third.source.task?.spec.workingDir).toBe('/a');
    expect(third.valid).toBe(first.object);
  });

  it('keeps nothing of another object of the same name', () => {
    const second = read({ stopSignal: 'NONSENSE' }, read({}), 'u2');
    expect(second.source.task).toBeUndefined();
  });

  it('sees that the finalizer was taken off, until it is on again', () => {
    const held = ['runlet.dev/cleanup', 'other'];
    const before = read({}, undefined, 'u1', held);
    const after = read({}, before, 'u1', ['other']);
    const again = read({}, after);
    expect([before, after, again].map(({ source }) => source.letGo)).toEqual([undefined, true, true]);
    expect(read({}, again, 'u1', held).source.letGo).toBeUndefined();
    // It never had one, is another object, or nobody knows when it lost it.
    expect(read({}, read({})).source.letGo).toBeUndefined();
    expect(read({}, before, 'u2').source.letGo).toBeUndefined();
    const kept = { ...before, source: { ...before.source, confirmed: false } };
    expect(read({}, kept).source.letGo).toBeUndefined();
  });

  it('takes a change of what never changes for a fault', () => {
    const second = read({ restoreFrom: { checkpointName: 'c' } }, read({ workingDir: '/a' }));
    expect(second.source.problems[0]?.path).toBe('spec.restoreFrom');
    expect(second.source.task?.spec.workingDir).toBe('/a');
  });
});
