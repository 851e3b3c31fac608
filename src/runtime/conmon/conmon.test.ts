import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identify } from '#host/process.ts';
import { ProcessFolder } from '../process-folder.ts';
import { startMonitored, type MonitorStart } from './conmon.ts';

let folder: ProcessFolder;
beforeEach(() => {
  folder = new ProcessFolder(mkdtempSync(join(tmpdir(), 'runlet-test-')));
  folder.create();
});
afterEach(() => rmSync(folder.path, { recursive: true, force: true }));

/** A start of a program that stands for conmon: a shell script. */
function startOf(script: string, rest: Pick<MonitorStart, 'adopt' | 'signal'>): MonitorStart {
  const program = folder.file('conmon-of-a-test');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  return {
    program,
    call: {
      ...{ runtime: '/bin/false', runtimeArgs: [], containerId: 'c', uuid: 'u', bundle: folder.path, folder },
      ...{ streams: { log: 'off', terminal: false, stdin: 'none' }, kind: { verb: 'create' } },
    },
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['ignore', 'ignore', 'ignore'],
    ...rest,
  };
}

describe('startMonitored', () => {
  it('ends conmon and throws once, when it is cancelled while conmon is still being moved to its cgroup', async () => {
    const abort = new AbortController();
    let pid = 0;
    const start = startOf('exec sleep 1000', {
      signal: abort.signal,
      adopt: async (monitorPid) => {
        pid = monitorPid;
        abort.abort(new Error('enough'));
        // long enough for whoever waits for conmon's answer to give up first; what it throws may be lost to nobody
        await new Promise((resolve) => setTimeout(resolve, 200));
      },
    });
    await expect(startMonitored(start)).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => identify(pid), { timeout: 30_000 }).toBeUndefined();
  });

  it('throws what conmon said when it ends instead of waiting to be let go', async () => {
    const start = startOf('echo "no such thing" >conmon.log; exit 1', {
      adopt: async () => await new Promise((resolve) => setTimeout(resolve, 200)),
    });
    await expect(startMonitored(start)).rejects.toThrow('no such thing');
  });
});
