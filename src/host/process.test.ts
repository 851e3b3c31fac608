import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MalformedError } from '#errors/errors.ts';
import { isNothingOr, thrownBy } from '../../test/support/thrown.ts';
import { identify, identifyOrEnded, isAlive, isBeingKilled, parseProcessStat, signalProcess } from './process.ts';

const fields = `S 1 100 100 0 -1 4194560 ${Array.from({ length: 12 }, () => 0).join(' ')} 4242 0 0`;

describe('parseProcessStat', () => {
  it('finds the fields behind a command of any characters', () => {
    for (const command of ['sh', 'a b', 'x) S 1 (', ')', 'tmux: server)']) {
      expect(parseProcessStat(`7 (${command}) ${fields}\n`)).toEqual({
        pid: 7,
        command,
        state: 'S',
        parent: 1,
        startTime: '4242',
      });
    }
  });

  it('returns or throws its own error on any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(thrownBy(() => parseProcessStat(text))).toSatisfy(isNothingOr(MalformedError));
      }),
    );
  });
});

describe('a process', () => {
  it('is known by pid, start and boot', () => {
    const me = identify(process.pid);
    expect(me).toMatchObject({ pid: process.pid, startTime: expect.stringMatching(/^\d+$/) });
    expect(isAlive(me!)).toBe(true);
    expect(isAlive({ ...me!, startTime: '1' })).toBe(false);
    expect(isAlive({ ...me!, bootId: 'another' })).toBe(false);
  });

  it('is not signalled when its pid belongs to another one now', () => {
    const me = identify(process.pid)!;
    expect(signalProcess({ ...me, startTime: '1' }, 9)).toBe(false);
    expect(signalProcess({ ...me, bootId: 'another' }, 9)).toBe(false);
    expect(signalProcess(me, 0)).toBe(true);
  });

  it('that has ended is nobody, also while it waits to be reaped', async () => {
    const child = spawn('/bin/cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'spawn');
    const identity = identify(child.pid!)!;
    expect(signalProcess(identity, 9)).toBe(true);
    await once(child, 'exit');
    expect(identify(identity.pid)).toBeUndefined();
    expect(isAlive(identity)).toBe(false);
    expect(signalProcess(identity, 9)).toBe(false);
    expect(isAlive(identifyOrEnded(identity.pid))).toBe(false);
  });
});

function status(thread: string, shared: string): string {
  return `Name:\tx\nSigQ:\t0/100\nSigPnd:\t${thread}\nShdPnd:\t${shared}\n`;
}

describe('isBeingKilled', () => {
  it('finds a KILL that waits, for the thread or for the whole process', () => {
    const none = '0000000000000000';
    expect(isBeingKilled(status(none, none))).toBe(false);
    expect(isBeingKilled(status(none, '0000000000000100'))).toBe(true);
    expect(isBeingKilled(status('0000000000004100', none))).toBe(true);
    expect(isBeingKilled(status('ffffffff00004eff', none))).toBe(false);
    expect(isBeingKilled('')).toBe(false);
  });
});
