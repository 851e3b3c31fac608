import { expect, it } from 'vitest';
import { execSpecSchema } from './schema.ts';
import { execProcessSpec } from './exec-process-spec.ts';

const task = {
  ...{ terminal: true, args: ['server'], cwd: '/srv', env: ['PATH=/bin', 'A=1'], noNewPrivileges: true },
  user: { uid: 1000, gid: 1000, additionalGids: [7] },
  capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'] },
  rlimits: [{ type: 'RLIMIT_NOFILE', hard: 10, soft: 10 }],
  apparmorProfile: 'mine',
};

it('runs another program as the task itself, with no other rights, and marks what descends from it', () => {
  const spec = execSpecSchema.parse({
    nodeName: 'a',
    taskName: 'web',
    command: ['ls', '-l'],
    env: [{ name: 'A', value: '2' }],
  });
  expect(execProcessSpec(task, spec, 'uid-1')).toEqual({
    ...task,
    terminal: false,
    args: ['ls', '-l'],
    env: ['PATH=/bin', 'A=2', 'RUNLET_EXEC_UID=uid-1'],
  });
});

it('runs in the folder that it names, else in that of the task', () => {
  const spec = { nodeName: 'a', taskName: 'web', command: ['ls'] };
  expect(execProcessSpec(task, execSpecSchema.parse(spec), 'u').cwd).toBe('/srv');
  expect(execProcessSpec(task, execSpecSchema.parse({ ...spec, workingDir: '/tmp' }), 'u').cwd).toBe('/tmp');
});
