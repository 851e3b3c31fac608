import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnavailableError } from '#errors/errors.ts';
import type { RunState } from '#kubernetes/node-task/types.ts';
import { nodeTask } from '../../../test/support/fake-source.ts';
import { Reconciling } from '../../../test/support/reconciling.ts';

type Step =
  | { readonly do: 'ask'; readonly runState: RunState; readonly env: string; readonly memory: number }
  | { readonly do: 'restart'; readonly value: string }
  | { readonly do: 'end'; readonly status: number }
  | { readonly do: 'pause' | 'resume' | 'start' | 'delete' | 'crash' | 'reboot' | 'fail' | 'remove' | 'vanish' }
  | { readonly do: 'pass'; readonly seconds: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('ask' as const),
    runState: fc.constantFrom('Created' as const, 'Running' as const, 'Paused' as const, 'Stopped' as const),
    env: fc.constantFrom('a', 'b'),
    memory: fc.constantFrom(16, 32),
  }),
  fc.record({ do: fc.constant('restart' as const), value: fc.constantFrom('x', 'y') }),
  fc.record({ do: fc.constant('end' as const), status: fc.constantFrom(0, 1, 137) }),
  fc.record({
    do: fc.constantFrom('pause', 'resume', 'start', 'delete', 'crash', 'reboot', 'fail', 'remove', 'vanish'),
  }) as fc.Arbitrary<Step>,
  fc.record({ do: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 40 }) }),
);

/** An object's life of arbitrary wishes, ends, crashes and meddling. */
class Story {
  agent: Reconciling;
  #boot = 1;
  #wish = { runState: 'Running' as RunState, env: 'a', memory: 16, restart: 'x' };

  constructor(agent: Reconciling) {
    this.agent = agent;
  }

  async #startAgent(bootId?: string): Promise<void> {
    await this.agent.crash();
    if (bootId !== undefined) this.agent.node.machine.tasks.clear();
    this.agent = await Reconciling.start(this.agent, bootId === undefined ? {} : { bootId });
  }

  async do(step: Step): Promise<void> {
    const task = this.agent.task('web');
    switch (step.do) {
      case 'ask':
        this.#ask(step);
        break;
      case 'restart':
        this.#ask({ restart: step.value });
        break;
      case 'end':
        if (task) this.agent.node.runtime.end(task.ref, { status: step.status });
        break;
      case 'pause':
      case 'resume':
      case 'start':
        await task?.[step.do]().catch(() => {});
        break;
      case 'delete':
        if (task) await this.agent.node.manager.delete(task.ref).catch(() => {});
        break;
      case 'crash':
        await this.#startAgent();
        break;
      case 'reboot':
        this.#boot += 1;
        await this.#startAgent(`boot-${this.#boot}`);
        break;
      case 'fail':
        this.agent.making.failures.push({ method: 'make', error: new UnavailableError('not now') });
        break;
      case 'remove':
        this.agent.source.remove('default/web');
        break;
      case 'vanish':
        this.agent.source.vanish('default/web');
        break;
      case 'pass':
        await this.agent.pass(step.seconds);
        break;
    }
    await this.agent.settle();
  }

  #ask(change: Partial<{ runState: RunState; env: string; memory: number; restart: string }>): void {
    this.#wish = { ...this.#wish, ...change };
    const { runState, env, memory, restart } = this.#wish;
    this.agent.source.put(
      nodeTask(
        'web',
        { runState, env: [{ name: 'A', value: env }], resources: { limits: { memory: `${memory}Mi` } } },
        { 'runlet.dev/restartedAt': restart },
      ),
    );
  }

  /** Asks for a last thing and gives it all the time that back-offs may take. */
  async finish(runState: RunState): Promise<void> {
    this.agent.making.failures.splice(0);
    // From Stopped everything is reachable.
    this.#ask({ runState: 'Stopped' });
    await this.agent.settle();
    await this.agent.pass(40);
    this.#ask({ runState });
    await this.agent.settle();
    await this.agent.pass(301);
  }
}

const wanted: Readonly<Record<RunState, string>> = {
  Created: 'created Created True/Created',
  Running: 'running Running True/Running',
  Paused: 'paused Paused True/Paused',
  Stopped: 'gone Stopped True/Stopped',
};

describe('a NodeTask and its task', () => {
  it('become what was asked last, after any wishes, ends, crashes, reboots and meddling', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep, { maxLength: 14 }),
        fc.constantFrom('Created', 'Running', 'Paused', 'Stopped'),
        async (steps, last) => {
          const story = new Story(await Reconciling.start());
          for (const step of steps) await story.do(step);
          await story.finish(last);
          const { agent } = story;
          const status = agent.task('web')?.status;
          expect(`${status === undefined || status === 'stopped' ? 'gone' : status} ${agent.said('web')}`).toBe(
            wanted[last],
          );
          expect(agent.records.values.size).toBe(1);
          await story.do({ do: 'remove' });
          await agent.pass(40);
          expect([agent.task('web'), agent.records.values.size, agent.source.keys()]).toEqual([undefined, 0, []]);
          await agent[Symbol.asyncDispose]();
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);

  it('never start twice under one number, over crashes and reboots', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 14 }), async (steps) => {
        const story = new Story(await Reconciling.start());
        for (const step of steps) await story.do(step);
        await story.agent[Symbol.asyncDispose]();
        const { starts } = story.agent;
        expect(new Set(starts).size).toBe(starts.length);
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});
