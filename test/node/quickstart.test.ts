import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { CgroupGroup } from '#cgroup/group.ts';
import { detectHierarchy } from '#cgroup/hierarchy.ts';
import { mountsBelow } from '#host/mounts.ts';
import { eventually } from '../support/node.ts';

const run = promisify(execFile);
const timeout = 300_000;
const folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));

const script = ['scripts/quickstart.ts', '--folder', folder];

function expectNothingLeft(): void {
  expect(existsSync(folder)).toBe(false);
  expect(mountsBelow(folder)).toEqual([]);
  expect(new CgroupGroup(detectHierarchy(), `/${basename(folder)}`).exists).toBe(false);
}

/** Starts one that stays, and waits until it shows what runs. */
async function startQuickstart() {
  const child = spawn(process.execPath, script, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += chunk;
    if (text.includes('Ctrl-C')) break;
  }
  return { child, text };
}

describe('npm run quickstart', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['the first time', 'again'])(
    'shows with --once the tasks of the examples as asked and leaves nothing behind, %s',
    { timeout },
    async () => {
      const { stdout } = await run(process.execPath, [...script, '--once']);
      expect(stdout).toMatch(/ticker.*running/iu);
      expect(stdout).toMatch(/paused.*paused/iu);
      expect(stdout).toMatch(/worker.*running/iu);
      expect(stdout).toContain('/metrics');
      expectNothingLeft();
    },
  );

  it('stays until it is interrupted, shows a client that works, and then removes its tasks', { timeout }, async () => {
    const { child, text } = await startQuickstart();
    const client = /alias runlet='(?<command>[^']+)'/u.exec(text)?.groups?.['command']?.split(' ') ?? [];
    const logs = async () => (await run(client[0] ?? '', [...client.slice(1), 'logs', 'ticker'])).stdout;
    await eventually(logs, (lines) => lines.includes('tick 1'), 'the log of ticker');

    const ended = once(child, 'exit');
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    expectNothingLeft();
  });

  it('takes over and removes what a killed one has left', { timeout }, async () => {
    const { child } = await startQuickstart();
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    const { stdout } = await run(process.execPath, [...script, '--once']);
    expect(stdout).toMatch(/ticker.*running/iu);
    expectNothingLeft();
  });
});
