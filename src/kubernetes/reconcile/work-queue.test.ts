import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { settle } from '../../../test/support/tasks.ts';
import { WorkQueue } from './work-queue.ts';

function queue() {
  const clock = new ManualClock();
  return { clock, queue: new WorkQueue({ clock }) };
}

describe('WorkQueue', () => {
  it('gives keys in the order in which they were added, each once', async () => {
    const { queue: keys } = queue();
    for (const key of ['a', 'b', 'a', 'c', 'b']) keys.add(key);
    expect([await keys.take(), await keys.take(), await keys.take()]).toEqual(['a', 'b', 'c']);
    expect(keys.depth).toBe(0);
  });

  it('gives a key again that was added while it was worked on, after that', async () => {
    const { queue: keys } = queue();
    keys.add('a');
    await keys.take();
    keys.add('a');
    keys.add('a');
    expect(keys.depth).toBe(0);
    keys.done('a');
    expect(await keys.take()).toBe('a');
    keys.done('a');
    expect(keys.depth).toBe(0);
  });

  it('answers who waits as soon as there is a key, first come first served', async () => {
    const { queue: keys } = queue();
    const got: string[] = [];
    const waiting = [0, 1].map((n) => keys.take().then((key) => got.push(`${n} ${key}`)));
    keys.add('a');
    keys.add('b');
    await Promise.all(waiting);
    expect(got).toEqual(['0 a', '1 b']);
  });

  it('adds a key at its time; the earliest of several counts', async () => {
    const { clock, queue: keys } = queue();
    keys.addAfter('a', 1000);
    keys.addAfter('a', 300);
    keys.addAfter('a', 500);
    clock.advance(299);
    expect(keys.depth).toBe(0);
    clock.advance(1);
    expect(keys.depth).toBe(1);
    expect(await keys.take()).toBe('a');
    keys.done('a');
    clock.advance(10_000);
    expect(keys.depth).toBe(0);
  });

  it('makes the waits of a failing key longer, of that key only, until it succeeds', () => {
    const { clock, queue: keys } = queue();
    clock.randomNumber = 0;
    expect([keys.retry('a'), keys.retry('a'), keys.retry('a'), keys.retry('b')]).toEqual([200, 400, 800, 200]);
    for (let n = 0; n < 20; n += 1) keys.retry('a');
    expect(keys.retry('a')).toBe(60_000);
    keys.succeeded('a');
    expect(keys.retry('a')).toBe(200);
  });

  it('gives nothing any more after its end, and leaves no timer', async () => {
    const { clock, queue: keys } = queue();
    const waiting = keys.take();
    keys.addAfter('a', 1000);
    keys[Symbol.dispose]();
    keys.add('b');
    keys.addAfter('c', 1);
    expect(await waiting).toBeUndefined();
    expect(await keys.take()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  it('tells depth, additions, retries and times', async () => {
    const clock = new ManualClock();
    const told: string[] = [];
    const keys = new WorkQueue({
      clock,
      metrics: {
        depth: (count) => told.push(`depth ${count}`),
        added: () => told.push('added'),
        retried: () => told.push('retried'),
        waited: (ms) => told.push(`waited ${ms}`),
        worked: (ms) => told.push(`worked ${ms}`),
      },
    });
    keys.add('a');
    clock.advance(30);
    await keys.take();
    clock.advance(5);
    keys.done('a');
    keys.retry('a');
    expect(told).toEqual(['added', 'depth 1', 'waited 30', 'depth 0', 'worked 5', 'retried']);
  });

  it('never loses a key nor hands it out twice at once, whatever happens in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 60 }), async (steps) => {
        const story = new Story();
        for (const step of steps) await story.do(step);
        await story.finish();
        expect(story).toMatchObject({ twiceAtOnce: [], wanted: new Set() });
      }),
    );
  });
});

type Step =
  | { readonly do: 'add' | 'retry' | 'done'; readonly key: string }
  | { readonly do: 'after'; readonly key: string; readonly ms: number }
  | { readonly do: 'take' }
  | { readonly do: 'pass'; readonly ms: number };

const anyKey = fc.constantFrom('a', 'b', 'c', 'd');
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('add' as const, 'retry' as const, 'done' as const), key: anyKey }),
  fc.record({ do: fc.constant('after' as const), key: anyKey, ms: fc.integer({ min: 0, max: 50 }) }),
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 100 }) }),
);

/** What a queue is asked for, beside what it should answer. */
class Story {
  readonly #node = queue();
  readonly working = new Set<string>();
  /** Keys that were asked for since their work began last. */
  readonly wanted = new Set<string>();
  readonly twiceAtOnce: string[] = [];

  async do(step: Step): Promise<void> {
    const { clock, queue: keys } = this.#node;
    switch (step.do) {
      case 'add':
        keys.add(step.key);
        this.wanted.add(step.key);
        break;
      case 'after':
        keys.addAfter(step.key, step.ms);
        this.wanted.add(step.key);
        break;
      case 'retry':
        keys.retry(step.key);
        this.wanted.add(step.key);
        break;
      case 'take':
        void this.#take();
        break;
      case 'done':
        if (this.working.delete(step.key)) keys.done(step.key);
        break;
      case 'pass':
        clock.advance(step.ms);
        break;
    }
    await settle();
  }

  /** Time passes and workers work until nothing can be left. */
  async finish(): Promise<void> {
    const { queue: keys } = this.#node;
    for (let round = 0; round < 20; round += 1) {
      await this.do({ do: 'pass', ms: 120_000 });
      await this.do({ do: 'take' });
      for (const key of this.working) await this.do({ do: 'done', key });
    }
    keys[Symbol.dispose]();
  }

  async #take(): Promise<void> {
    const key = await this.#node.queue.take();
    if (key === undefined) return;
    if (this.working.has(key)) this.twiceAtOnce.push(key);
    this.working.add(key);
    this.wanted.delete(key);
  }
}
