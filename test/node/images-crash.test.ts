import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#async/clock.ts';
import { ImageStore } from '#images/image-store.ts';
import { removeUnmounted } from '#host/trees.ts';
import { silentLog } from '#log/log.ts';
import { stepsToTry } from '../support/crash-steps.ts';
import { addImage } from '../support/images.ts';
import { eventually } from '../support/node.ts';

const support = join(import.meta.dirname, '../support');
const driver = join(support, 'image-driver.ts');

let folder: string;
let root: string;
let reference: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  root = join(folder, 'root');
  reference = `oci:${folder}/layout:1`;
});
afterEach(async () => await removeUnmounted(folder));

/** Runs a verb in a process that dies before its step number `crashAt`; false when it came to its end. */
function crashed(verb: string, crashAt: number): boolean {
  const argv = ['--import', join(support, 'crash-at.ts'), driver, verb, root, reference];
  const run = spawnSync(process.execPath, argv, {
    env: { PATH: process.env['PATH'], CRASH_AT: String(crashAt), STEPS_FILE: join(folder, 'steps') },
    encoding: 'utf8',
  });
  if (run.signal === 'SIGKILL') return true;
  expect(run.stderr, `${verb} at ${crashAt}`).toBe('');
  expect(run.status).toBe(0);
  return false;
}

/** A new store takes over, finds whole what is there, and removes it; what is left then, by folder. */
async function takeOver(): Promise<Record<string, readonly string[]>> {
  const open = { root, log: silentLog(), clock: systemClock, rootfsAllow: [], ownFolders: [] };
  const store = await ImageStore.open(open);
  const image = await store.ensure(reference, { policy: 'IfNotPresent', localPaths: true });
  const { lower } = await store.rootfs(image, 'default/next');
  if (readFileSync(join(lower, 'last'), 'utf8') !== 'whole') throw new Error('an image is not whole');
  await store.removeRootfs('default/next');
  await store.removeRootfs('default/task');
  await store.prune();
  await store.close();
  const images = join(root, 'images');
  return Object.fromEntries(readdirSync(images).map((name) => [name, filesIn(join(images, name))]));
}

const nothing = { blobs: [], layers: [], records: [], tmp: [], unpacked: [], used: [] };

function filesIn(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name !== 'sha256');
}

describe('an agent killed -9 at any step', () => {
  for (const verb of ['pull', 'rootfs', 'remove-rootfs', 'prune']) {
    it(`of ${verb} leaves images whole or not there at all`, { timeout: 180_000 }, async () => {
      addImage(join(folder, 'layout'), { tag: '1', layers: [(at) => writeFileSync(join(at, 'last'), 'whole')] });
      expect(crashed(verb, Infinity)).toBe(false);
      expect(await takeOver()).toEqual(nothing);
      const steps = Number(readFileSync(join(folder, 'steps'), 'utf8'));
      expect(steps, 'steps').toBeGreaterThan(1);
      for (const step of stepsToTry(steps)) {
        crashed(verb, step); // its last steps may be fewer this time: then it has come to its end
        expect(await takeOver(), `killed before step ${step}`).toEqual(nothing);
      }
    });
  }
});

const large = (at: string) => writeFileSync(join(at, 'large'), randomBytes(48 * 1024 * 1024));

describe('an agent killed -9 while a program works for it', () => {
  for (const phase of ['pulling', 'unpacking']) {
    it(`takes the program with it, and the next one starts afresh: ${phase}`, { timeout: 120_000 }, async () => {
      addImage(join(folder, 'layout'), {
        tag: '1',
        layers: [large, (at) => writeFileSync(join(at, 'last'), 'whole')],
      });
      const agent = spawn(process.execPath, [driver, 'pull', root, reference], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(agent, 'exit');
      await new Promise<void>((resolve) => {
        agent.stdout.on('data', (chunk: Buffer) => chunk.toString().includes(phase) && resolve());
        agent.on('exit', () => resolve());
      });
      agent.kill('SIGKILL');
      await ended;
      await eventually(
        () => processesNaming(folder),
        (pids) => pids.length === 0,
        'programs of a dead agent',
      );
      expect(await takeOver()).toEqual(nothing);
    });
  }
});

function processesNaming(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    const file = `/proc/${pid}/cmdline`;
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid || !existsSync(file)) return false;
    try {
      return readFileSync(file, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}
