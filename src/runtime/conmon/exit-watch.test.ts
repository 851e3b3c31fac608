import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { identify, identifyOrEnded } from '#host/process.ts';
import { silentLog } from '#log/log.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { ProcessFolder } from '../process-folder.ts';
import { ExitWatch, type Watched } from './exit-watch.ts';

let folder: string;
let clock: ManualClock;
let told: string[];
let watch: ExitWatch<Watched & { readonly name: string }>;
const me = identify(process.pid)!;
const nobody = identifyOrEnded(2 ** 22 - 1);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  clock = new ManualClock();
  told = [];
  watch = new ExitWatch({
    listener: {
      exited: ({ name }, exit) => told.push(`${name} ${exit === 'lost' ? exit : exit.status}`),
      outOfMemory: ({ name }) => told.push(`${name} oom`),
    },
    clock,
    log: silentLog(),
  });
});
afterEach(() => {
  watch[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

function watched(name: string, more: Partial<Watched> = {}): Watched & { readonly name: string } {
  const of = new ProcessFolder(join(folder, name));
  of.create();
  return { name, folder: of, identity: me, monitor: me, ...more };
}

function writeExit(process: Watched, status: string): void {
  writeFileSync(join(process.folder.persist, 'exit'), status);
}

describe('ExitWatch', () => {
  it('tells at once of an end that is on record', () => {
    const web = watched('web');
    writeExit(web, '7');
    watch.add(web);
    expect(told).toEqual(['web 7']);
  });

  it('tells of an end as soon as it is written, once', async () => {
    const web = watched('web');
    watch.add(web);
    writeFileSync(join(web.folder.persist, 'exit.ABC123'), ''); // conmon's temporary name
    expect(told).toEqual([]);
    writeExit(web, '7');
    await vi.waitFor(() => expect(told).toEqual(['web 7']), { timeout: 30_000 });
    clock.advance(60_000);
    expect(told).toEqual(['web 7']);
  });

  it('tells of memory that ran out before the end that it caused', () => {
    const web = watched('web');
    writeFileSync(join(web.folder.persist, 'oom'), '');
    writeExit(web, '137');
    watch.add(web);
    expect(told).toEqual(['web oom', 'web 137']);
  });

  it('finds within a second that process and monitor have gone without a word', () => {
    const web = watched('web', { identity: nobody, monitor: nobody });
    watch.add(web);
    clock.advance(999);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(['web lost']);
  });

  it('waits while the process lives on without its monitor', () => {
    watch.add(watched('web', { monitor: nobody }));
    clock.advance(10_000);
    expect(told).toEqual([]);
  });

  it('believes a record more than the absence of the process', () => {
    const web = watched('web', { identity: nobody, monitor: nobody });
    watch.add(web);
    writeExit(web, '3');
    clock.advance(1000);
    expect(told).toEqual(['web 3']);
  });

  it('does not take somebody else with the same pid for the monitor for ever', () => {
    const stranger = { ...me, startTime: '1' };
    watch.add(watched('web', { identity: stranger, monitor: stranger }));
    clock.advance(30_000);
    expect(told).toEqual(['web lost']);
  });

  it('says nothing of what is not watched any more, and stops looking', () => {
    const web = watched('web', { identity: nobody, monitor: nobody });
    watch.add(web);
    watch.remove(web);
    expect(clock.pending).toBe(0);
    clock.advance(10_000);
    watch.check(web);
    expect(told).toEqual([]);
  });
});
