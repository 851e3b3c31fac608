import { describe, expect, it } from 'vitest';
import { CancelledError } from '#errors/errors.ts';
import { Slots } from './slots.ts';

/** Work that says when it begins and ends when it is told to. */
function story() {
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const work = (name: string) => async () => {
    begun.push(name);
    const end = Promise.withResolvers<void>();
    ends.set(name, end);
    await end.promise;
    return name;
  };
  return { begun, work, end: (name: string) => ends.get(name)?.resolve() };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('Slots', () => {
  it('lets as many work at once as there are slots, in the order of coming', async () => {
    const slots = new Slots(2);
    const { begun, work, end } = story();
    const all = ['a', 'b', 'c', 'd'].map((name) => slots.run(work(name)));
    await turn();
    expect(begun).toEqual(['a', 'b']);
    end('b');
    await turn();
    expect(begun).toEqual(['a', 'b', 'c']);
    end('a');
    end('c');
    await turn();
    end('d');
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('has as many slots after work as before, also when one is given back twice', async () => {
    const slots = new Slots(2);
    const slot = await slots.acquire();
    expect(slots.free).toBe(1);
    slot[Symbol.dispose]();
    slot[Symbol.dispose]();
    expect(slots.free).toBe(2);
    await Promise.all(['a', 'b', 'c'].map((name) => slots.run(() => Promise.resolve(name))));
    expect(slots.free).toBe(2);
  });

  it('gives the slot of work that failed to the next', async () => {
    const slots = new Slots(1);
    const failed = slots.run(() => Promise.reject(new Error('no')));
    const next = slots.run(() => Promise.resolve('next'));
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('next');
    expect(await slots.run(() => Promise.resolve('again'))).toBe('again');
  });

  it('lets those go that wait no longer, and keeps the order of the others', async () => {
    const slots = new Slots(1);
    const { begun, work, end } = story();
    const abort = new AbortController();
    const first = slots.run(work('a'));
    const left = slots.run(work('b'), abort.signal);
    const last = slots.run(work('c'));
    abort.abort(new Error('enough'));
    await expect(left).rejects.toThrow(CancelledError);
    end('a');
    await first;
    await turn();
    end('c');
    expect(await last).toBe('c');
    expect(begun).toEqual(['a', 'c']);
    await expect(slots.run(work('d'), abort.signal)).rejects.toThrow(CancelledError);
  });
});
