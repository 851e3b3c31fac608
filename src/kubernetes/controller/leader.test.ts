import { describe, expect, it } from 'vitest';
import { FailedPreconditionError, NotFoundError, UnavailableError } from '#errors/errors.ts';
import { silentLog } from '#log/log.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { settle } from '../../../test/support/tasks.ts';
import type { KubernetesClient } from '../client/client.ts';
import { lead } from './leader.ts';

interface Stored {
  metadata: { resourceVersion: string };
  spec: Record<string, unknown>;
}

/** A server that holds one Lease and refuses what was made of an older version. */
class LeaseServer {
  lease: Stored | undefined;
  away = false;
  #version = 0;

  get client(): KubernetesClient {
    return {
      get: async () => await this.#answer(() => this.lease ?? fail(new NotFoundError('no lease'))),
      create: async (_path: string, { spec }: { spec: Record<string, unknown> }) =>
        await this.#answer(() => this.#put(spec)),
      mergePatch: async (_path: string, change: { metadata?: { resourceVersion?: string }; spec: object }) =>
        await this.#answer(() => {
          const version = change.metadata?.resourceVersion;
          if (version !== undefined && version !== this.lease?.metadata.resourceVersion) {
            throw new FailedPreconditionError('conflict');
          }
          return this.#put({ ...this.lease?.spec, ...change.spec });
        }),
    } as unknown as KubernetesClient;
  }

  #put(spec: Record<string, unknown>): Stored {
    this.#version += 1;
    this.lease = { metadata: { resourceVersion: String(this.#version) }, spec };
    return this.lease;
  }

  #answer<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      if (this.away) throw new UnavailableError('no answer');
      resolve(work());
    });
  }
}

function fail(error: Error): never {
  throw error;
}

/** One that would lead: `leading` says whether it does now. */
function candidate(server: LeaseServer, clock: ManualClock, identity: string) {
  const stop = new AbortController();
  const state = { leading: false, times: 0 };
  const options = { client: server.client, namespace: 'n', lease: 'l', identity, clock, log: silentLog() };
  const done = lead(
    options,
    async (signal) => {
      state.leading = true;
      state.times += 1;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      state.leading = false;
    },
    stop.signal,
  );
  return { state, stop: () => stop.abort(new Error('stop')), done };
}

async function pass(clock: ManualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    for (let turn = 0; turn < 5; turn += 1) await settle();
    clock.advance(1000);
    for (let turn = 0; turn < 5; turn += 1) await settle();
  }
}

describe('a leader', () => {
  it('is one, the others stand by', async () => {
    const server = new LeaseServer();
    const clock = new ManualClock();
    const first = candidate(server, clock, 'a');
    await pass(clock, 3);
    const second = candidate(server, clock, 'b');
    await pass(clock, 60);
    expect([first.state.leading, second.state.leading]).toEqual([true, false]);
    first.stop();
    await first.done;
    await pass(clock, 5);
    expect(second.state.leading).toBe(true);
    expect(server.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
    second.stop();
    await second.done;
  });

  it('gives up when it cannot renew, before another takes over', async () => {
    const server = new LeaseServer();
    const clock = new ManualClock();
    const first = candidate(server, clock, 'a');
    await pass(clock, 3);
    expect(first.state.leading).toBe(true);
    server.away = true;
    await pass(clock, 13);
    expect(first.state.leading).toBe(false);
    server.away = false;
    await pass(clock, 5);
    expect(first.state).toEqual({ leading: true, times: 2 });
    first.stop();
    await first.done;
  });

  it('follows one that vanished once its Lease has not changed for its time', async () => {
    const server = new LeaseServer();
    const clock = new ManualClock();
    server.lease = { metadata: { resourceVersion: 'x' }, spec: { holderIdentity: 'gone', leaseTransitions: 4 } };
    const next = candidate(server, clock, 'b');
    await pass(clock, 12);
    expect(next.state.leading).toBe(false);
    await pass(clock, 8);
    expect(next.state.leading).toBe(true);
    expect(server.lease?.spec).toMatchObject({ leaseTransitions: 5 });
    next.stop();
    await next.done;
  });
});
