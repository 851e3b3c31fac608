import { describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { settle } from '../../../test/support/tasks.ts';
import { Controller, type Worked } from './controller.ts';
import { WorkQueue } from './work-queue.ts';

function setUp(work: (key: string, signal: AbortSignal) => Promise<Worked>, workers = 2) {
  const clock = new ManualClock();
  clock.randomNumber = 0;
  const queue = new WorkQueue({ clock });
  const controller = new Controller({ queue, log: silentLog(), workers, work });
  controller.start();
  return { clock, queue, controller };
}

describe('Controller', () => {
  it('works on as many keys at once as it has workers, and on one key once at a time', async () => {
    const running: string[] = [];
    const gates = new Map<string, () => void>();
    const { queue, controller } = setUp((key) => {
      running.push(key);
      return new Promise((resolve) => gates.set(key, () => resolve({})));
    });
    for (const key of ['a', 'b', 'c', 'a']) queue.add(key);
    await settle();
    queue.add('a');
    await settle();
    expect(running).toEqual(['a', 'b']);
    gates.get('a')?.();
    await settle();
    expect(running).toEqual(['a', 'b', 'c']);
    gates.get('b')?.();
    await settle();
    expect(running).toEqual(['a', 'b', 'c', 'a']);
    for (const open of gates.values()) open();
    await controller[Symbol.asyncDispose]();
  });

  it('tries a key again that failed, later each time, and goes on with the others', async () => {
    const seen: string[] = [];
    const { clock, queue, controller } = setUp((key) => {
      seen.push(key);
      return key === 'bad' && seen.length < 4 ? Promise.reject(new Error('no')) : Promise.resolve({});
    }, 1);
    queue.add('bad');
    queue.add('good');
    await settle();
    expect(seen).toEqual(['bad', 'good']);
    clock.advance(199);
    await settle();
    expect(seen).toHaveLength(2);
    clock.advance(1);
    await settle();
    expect(seen).toEqual(['bad', 'good', 'bad']);
    clock.advance(400);
    await settle();
    expect(seen).toHaveLength(4);
    await controller[Symbol.asyncDispose]();
  });

  it('looks at a key again at the time that the work names', async () => {
    let times = 0;
    const { clock, queue, controller } = setUp(() => {
      times += 1;
      return Promise.resolve(times === 1 ? { againAfterMs: 5000 } : {});
    });
    queue.add('a');
    await settle();
    clock.advance(4999);
    await settle();
    expect(times).toBe(1);
    clock.advance(1);
    await settle();
    clock.advance(100_000);
    await settle();
    expect(times).toBe(2);
    await controller[Symbol.asyncDispose]();
  });

  it('aborts the work at its end and waits for it', async () => {
    let ended = false;
    const { queue, controller } = setUp(
      (_key, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            ended = true;
            reject(signal.reason as Error);
          });
        }),
    );
    queue.add('a');
    await settle();
    await controller[Symbol.asyncDispose]();
    expect(ended).toBe(true);
  });
});
