import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { parsePolicy } from '../policy/policy.ts';
import { Recording, type LineSink } from './recording.ts';
import { RecordingFiles } from './recordings.ts';

let root: string;
let clock: ManualClock;
let lost: Error[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  clock = new ManualClock(1_700_000_000_500);
  lost = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function files(more = ''): RecordingFiles {
  const text = `recording:\n  sessions: [{namespace: "team-*", mode: Required}, {namespace: "x", mode: WherePossible}]\n${more}`;
  const policy = parsePolicy(text).recording;
  if (!policy) throw new Error('no policy');
  return new RecordingFiles({ root, policy, clock, log: silentLog() });
}

function start(uid: string, namespace = 'team-a') {
  return {
    ...{ namespace, name: `s-${uid}`, uid, taskName: 'web', kind: 'NodeTaskExecSession' },
    ...{ command: ['sh', '-l'], requestedBy: 'jane', size: { width: 100, height: 30 } },
    onLost: (error: Error) => void lost.push(error),
  };
}

const bytes = (text: string) => Buffer.from(text);
const linesOf = (path: string) => readFileSync(join(root, path), 'utf8').trimEnd().split('\n');

describe('recordings', () => {
  it('are asciicasts for root alone: a header, then what was shown, typed and resized, with whole characters', async () => {
    const recorder = await files().begin(start('u1'));
    expect(recorder?.path).toBe('recordings/team-a/web_u1.cast');
    const euro = bytes('€');
    recorder?.shown(euro.subarray(0, 1));
    clock.advance(1500);
    recorder?.shown(euro.subarray(1));
    recorder?.typed(bytes('ls\r'));
    recorder?.resized({ width: 80, height: 24 });
    await recorder?.close();
    const [header = '', ...events] = linesOf('recordings/team-a/web_u1.cast');
    expect(JSON.parse(header)).toMatchObject({
      ...{ version: 2, width: 100, height: 30, timestamp: 1_700_000_000, command: 'sh -l' },
      runlet: { requestedBy: 'jane', uid: 'u1' },
    });
    expect(events).toEqual(['[1.5,"o","€"]', '[1.5,"i","ls\\r"]', '[1.5,"r","80x24"]']);
    expect(statSync(join(root, 'recordings/team-a/web_u1.cast')).mode & 0o777).toBe(0o600);
    expect(lost).toEqual([]);
  });

  it('leave out what is typed where the policy says so, and are none where it names no namespace', async () => {
    const recorder = await files('  typed: false\n').begin(start('u1'));
    recorder?.typed(bytes('secret'));
    await recorder?.close();
    expect(linesOf('recordings/team-a/web_u1.cast')).toHaveLength(1);
    expect(await files().begin(start('u2', 'other'))).toBeUndefined();
  });

  it('end with a marker at their largest size, and say so', async () => {
    const recorder = await files('  maxSize: 1000\n').begin(start('u1'));
    for (let n = 0; n < 10; n += 1) recorder?.shown(Buffer.alloc(200, 'x'));
    await recorder?.close();
    expect(linesOf('recordings/team-a/web_u1.cast').at(-1)).toMatch(/"m","the recording ends here/);
    expect(lost.map(({ message }) => message)).toEqual([expect.stringContaining('has reached the size')]);
  });

  it('that cannot be begun are refused where they are required, else done without', async () => {
    writeFileSync(join(root, 'recordings'), 'no folder');
    await expect(files().begin(start('u1'))).rejects.toThrow(/EEXIST|ENOTDIR/);
    expect(await files().begin(start('u1', 'x'))).toBeUndefined();
  });

  it('go by age and number, but never while they are written', async () => {
    const some = files('  maxFiles: 2\n  keepSeconds: 100\n');
    const open = await some.begin(start('open'));
    for (const [index, uid] of ['a', 'b', 'c'].entries()) {
      const closed = await some.begin(start(uid));
      await closed?.close();
      const at = clock.nowMs() / 1000 - 50 + index;
      if (existsSync(join(root, `recordings/team-a/web_${uid}.cast`))) {
        utimesSync(join(root, `recordings/team-a/web_${uid}.cast`), at, at);
      }
    }
    await some.sweep();
    expect(names()).toContain('web_open.cast');
    expect(names().length).toBeLessThanOrEqual(3);
    clock.advance(1_000_000_000_000);
    await some.sweep();
    expect(names()).toEqual(['web_open.cast']);
    await open?.close();
    expect(names()).toEqual([]);
  });
});

const names = () => readdirSync(join(root, 'recordings/team-a')).toSorted();

const make = (sink: LineSink) =>
  new Recording({
    ...{ path: 'p', sink, bytes: 0, maxBytes: 1e9, typed: true, clock },
    onLost: (error) => void lost.push(error),
  });

describe('a recording on a slow or full disk', () => {
  it('holds nobody up: what is too much is left out, and a marker says so', async () => {
    const gate = Promise.withResolvers<void>();
    let written = '';
    const recording = make({
      append: async (data) => {
        await gate.promise;
        written += data;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
    for (let n = 0; n < 60; n += 1) recording.shown(Buffer.alloc(100_000, 'x'));
    gate.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    recording.shown(bytes('after'));
    await recording.close();
    expect(written).toMatch(/"m","\d+ pieces were left out: the disk is slow"\]\n\[[\d.]+,"o","after"\]\n$/);
    expect(written.length).toBeLessThan(5_000_000);
    expect(lost).toEqual([]);
  });

  it('tells once that it is lost', async () => {
    const recording = make({
      append: () => Promise.reject(new Error('ENOSPC: no space left on device')),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
    recording.shown(bytes('a'));
    await new Promise((resolve) => setImmediate(resolve));
    recording.shown(bytes('b'));
    await recording.close();
    expect(lost.map(({ message }) => message)).toEqual(['ENOSPC: no space left on device']);
  });
});
