import { describe, expect, it } from 'vitest';
import { ProcessFolder } from '../process-folder.ts';
import { monitorArgs, type MonitorCall } from './args.ts';

const call: MonitorCall = {
  runtime: '/usr/sbin/runc',
  runtimeArgs: ['--root', '/r', '--log', '/b/runtime.log', '--log-format', 'json'],
  containerId: 'web',
  uuid: 'default-web',
  bundle: '/b',
  folder: new ProcessFolder('/b'),
  streams: { log: 'passthrough', terminal: false, stdin: 'none' },
  kind: { verb: 'create' },
};
const line = (change: Partial<MonitorCall>) => monitorArgs({ ...call, ...change }).join(' ');

/** What every call begins with, and what follows the streams. */
const head = (bundle: string) =>
  `--api-version -c web -u default-web -n web -r /usr/sbin/runc -b ${bundle} -p ${bundle}/pid -P ${bundle}/conmon.pid --persist-dir ${bundle}/persist`;
const tail =
  '--full-attach --no-sync-log --log-level warning --runtime-arg --root --runtime-arg /r --runtime-arg --log --runtime-arg /b/runtime.log --runtime-arg --log-format --runtime-arg json';

describe('monitorArgs', () => {
  it('creates with the process on its own streams', () => {
    expect(line({})).toBe(`${head('/b')} -l passthrough ${tail}`);
  });

  it('creates with a log and a stdin that outlives its clients', () => {
    const streams = { log: { path: '/log/0.log' }, terminal: false, stdin: 'open' } as const;
    expect(line({ streams })).toBe(`${head('/b')} -l k8s-file:/log/0.log -i --leave-stdin-open ${tail}`);
  });

  it('creates with a stdin that ends with its first client', () => {
    const streams = { log: 'off', terminal: false, stdin: 'once' } as const;
    expect(line({ streams })).toBe(`${head('/b')} -l off -i ${tail}`);
  });

  it('creates with a terminal, which always has a stdin', () => {
    const streams = { log: 'off', terminal: true, stdin: 'none' } as const;
    expect(line({ streams })).toBe(`${head('/b')} -l off -t -i --leave-stdin-open ${tail}`);
  });

  it('restores from a folder of images', () => {
    const kind = { verb: 'restore', imagePath: '/img', options: ['--tcp-established'] } as const;
    expect(line({ kind })).toBe(`${head('/b')} -l passthrough ${tail} --restore /img --runtime-opt --tcp-established`);
  });

  it('runs an exec in a folder of its own, before or after somebody has attached', () => {
    const folder = new ProcessFolder('/b/exec/e');
    const kind = { verb: 'exec', processFile: '/b/exec/e/process.json', attachFirst: false } as const;
    expect(line({ folder, kind })).toBe(
      `${head('/b/exec/e')} -l passthrough ${tail} -e --exec-process-spec /b/exec/e/process.json`,
    );
    expect(line({ folder, kind: { ...kind, attachFirst: true } })).toContain('-e --exec-attach --exec-process-spec');
  });
});
