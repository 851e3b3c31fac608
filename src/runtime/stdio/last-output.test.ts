import { beforeEach, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { afterLastOutput } from './last-output.ts';

let clock: ManualClock;
let calls: number;
let waitingBytes: number;
let ended: PromiseWithResolvers<void>;
let takeBack: () => void;
beforeEach(() => {
  clock = new ManualClock();
  calls = 0;
  waitingBytes = 0;
  ended = Promise.withResolvers();
});

function begin(waiting: number): void {
  waitingBytes = waiting;
  const bridge = {
    ended: ended.promise,
    get waitingBytes() {
      return waitingBytes;
    },
  };
  takeBack = afterLastOutput(bridge, clock, () => calls++);
}

it('calls once, as soon as the client has got everything', async () => {
  begin(10);
  clock.advance(500);
  expect(calls).toBe(0);
  ended.resolve();
  await ended.promise;
  expect(calls).toBe(1);
  clock.advance(5000);
  expect(calls).toBe(1);
});

it('waits for a client as long as it goes on taking', () => {
  begin(10);
  while (waitingBytes > 1) {
    clock.advance(900);
    expect(calls).toBe(0);
    waitingBytes--;
  }
});

it('does not wait longer than a second for a client that takes nothing', () => {
  begin(10);
  clock.advance(980);
  expect(calls).toBe(0);
  clock.advance(40);
  expect(calls).toBe(1);
});

it('does not wait for a terminal that a child holds open when nothing is on its way', () => {
  begin(0);
  clock.advance(80);
  expect(calls).toBe(0);
  clock.advance(40);
  expect(calls).toBe(1);
});

it('can be taken back', async () => {
  begin(10);
  takeBack();
  ended.resolve();
  await ended.promise;
  clock.advance(5000);
  expect(calls).toBe(0);
});
