import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testShell } from '../../../test/support/cli.ts';
import { runPlugin, verbs } from './program.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  // Notes its arguments, a line a call, and its input; answers with the file that the test has put there for the first words.
  const kubectl = join(folder, 'kubectl');
  writeFileSync(
    kubectl,
    `#!/bin/sh
cd ${folder}
line=
for word in "$@"; do line="$line\${line:+|}$word"; done
printf '%s\\n' "$line" >> calls
verb=
for word in "$@"; do
  case $word in
    get|create|patch|wait|auth|exec) [ "$verb" ] || verb=$word ;;
    *.runlet.dev*|pods|events) [ "$verb" = get ] && verb="get-\${word%%/*}" ;;
  esac
done
[ "$verb" = create ] && cat > input
[ -f "fails-$verb" ] && { cat "fails-$verb" >&2; exit 1; }
[ -f "$verb" ] && cat "$verb"
[ -f "status-$verb" ] && exit "$(cat "status-$verb")"
exit 0
`,
  );
  chmodSync(kubectl, 0o755);
  answer('get-nodetasks.runlet.dev', task);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const task = {
  metadata: { name: 'demo', namespace: 'team-a', uid: 'u1' },
  spec: { nodeName: 'node-a', image: 'busybox', runState: 'Running' },
  status: {
    ...{ state: 'Running', pid: 4711, restartCount: 2, containerID: 'runlet://k8s.team-a/demo' },
    lastTermination: { exitStatus: 1, reason: 'Error' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'Running', message: 'it runs' }],
  },
};

function answer(verb: string, what: unknown): void {
  writeFileSync(join(folder, verb), typeof what === 'string' ? what : JSON.stringify(what));
}

async function plugin(...argv: string[]) {
  const shell = { ...testShell({ nowMs: 1_767_225_600_000 }), env: { PATH: `${folder}:${process.env['PATH']}` } };
  const status = await runPlugin(argv, shell);
  return { status, stdout: shell.out(), stderr: shell.err() };
}

const calls = () => readFileSync(join(folder, 'calls'), 'utf8').trimEnd().split('\n');
const input = () => JSON.parse(readFileSync(join(folder, 'input'), 'utf8')) as unknown;

describe('kubectl runlet pause and resume', () => {
  it('patch the object and wait until it is so, with the user’s own flags', async () => {
    const result = await plugin(
      'pause',
      'demo',
      '-n',
      'team-a',
      '--context',
      'c',
      '--as-group',
      'a',
      '--as-group',
      'b',
    );
    expect(result).toEqual({ status: 0, stdout: 'nodetasks.runlet.dev/demo paused\n', stderr: '' });
    const common = '--context|c|--as-group|a|--as-group|b|--namespace|team-a';
    expect(calls()).toEqual([
      `${common}|patch|nodetasks.runlet.dev|demo|--type|merge|-p|{"spec":{"runState":"Paused"}}`,
      `${common}|wait|--for=condition=Ready|nodetasks.runlet.dev/demo|--timeout=60s`,
    ]);
  });

  it('do not wait where that is said', async () => {
    expect((await plugin('resume', 'demo', '--no-wait')).stdout).toBe('nodetasks.runlet.dev/demo running\n');
    expect(calls()).toEqual(['patch|nodetasks.runlet.dev|demo|--type|merge|-p|{"spec":{"runState":"Running"}}']);
  });

  it('say what kubectl said', async () => {
    answer('fails-patch', 'Error from server (NotFound): nodetasks.runlet.dev "demo" not found\n');
    expect(await plugin('pause', 'demo')).toEqual({
      ...{ status: 1, stdout: '' },
      stderr: 'error: Error from server (NotFound): nodetasks.runlet.dev "demo" not found\n',
    });
    answer('fails-patch', 'error: the server doesn\'t have a resource type "nodetasks"\n');
    expect((await plugin('pause', 'demo')).stderr).toContain("are runlet's CRDs installed in this cluster?");
  });
});

it('kubectl runlet restart sets the annotation and waits until it was acted on', async () => {
  const at = '2026-01-01T00:00:00.000Z';
  answer('get-nodetasks.runlet.dev', { ...task, status: { ...task.status, restartedAt: at } });
  expect((await plugin('restart', 'demo', '--timeout', '5s')).status).toBe(0);
  expect(calls()).toEqual([
    `patch|nodetasks.runlet.dev|demo|--type|merge|-p|{"metadata":{"annotations":{"runlet.dev/restartedAt":"${at}"}}}`,
    'get|nodetasks.runlet.dev|demo|-o|json',
    'wait|--for=condition=Ready|nodetasks.runlet.dev/demo|--timeout=5s',
  ]);
  answer('get-nodetasks.runlet.dev', task);
  expect((await plugin('restart', 'demo', '--timeout', '0')).stderr).toContain('does the agent of node node-a run?');
});

describe('kubectl runlet kill', () => {
  it('makes a NodeTaskSignal for that very object, and waits for its end', async () => {
    answer('auth', { status: { userInfo: { username: 'jane' } } });
    answer('create', { metadata: { name: 'demo-x' } });
    answer('get-nodetasksignals.runlet.dev', {
      metadata: { name: 'demo-x' },
      spec: {},
      status: { state: 'Succeeded' },
    });
    expect(await plugin('kill', '-s', '1', '--all', 'demo')).toMatchObject({
      ...{ status: 0, stdout: 'nodetasks.runlet.dev/demo signalled HUP\n' },
    });
    expect(calls()).toEqual([
      'get|nodetasks.runlet.dev|demo|-o|json',
      'auth|whoami|-o|json',
      'create|-f|-|-o|json',
      'wait|--for=condition=Finished|nodetasksignals.runlet.dev/demo-x|--timeout=90s',
      'get|nodetasksignals.runlet.dev/demo-x|-o|json',
    ]);
    const apiVersion = 'runlet.dev/v1alpha1';
    const owner = {
      apiVersion,
      kind: 'NodeTask',
      name: 'demo',
      uid: 'u1',
      controller: false,
      blockOwnerDeletion: false,
    };
    expect(input()).toEqual({
      ...{ apiVersion, kind: 'NodeTaskSignal' },
      metadata: { generateName: 'demo-', namespace: 'team-a', ownerReferences: [owner] },
      spec: {
        ...{ nodeName: 'node-a', taskName: 'demo', taskUID: 'u1', requestedBy: 'jane', signal: 'HUP', scope: 'All' },
      },
    });
  });

  it('says why it failed, and when no agent takes it up', async () => {
    answer('create', { metadata: { name: 'demo-x' } });
    const status = { state: 'Failed', reason: 'TaskNotRunning', message: 'it is stopped' };
    answer('get-nodetasksignals.runlet.dev', { metadata: { name: 'demo-x' }, spec: {}, status });
    expect((await plugin('kill', 'demo')).stderr).toBe('error: demo-x Failed: TaskNotRunning: it is stopped\n');
    answer('fails-wait', 'error: timed out waiting for the condition on nodetasksignals/demo-x\n');
    expect((await plugin('kill', 'demo')).stderr).toContain('does the agent of node node-a run?');
    expect((await plugin('kill', '-s', 'NOPE', 'demo')).stderr).toContain('"NOPE" is no signal');
  });
});

/** How a NodeTaskExec ended. */
function ended(status: object): void {
  answer('get-nodetaskexecs.runlet.dev', { metadata: { name: 'demo-x' }, spec: {}, status });
}

const request = (name: string, taskName: string) => ({
  ...{ kind: 'NodeTaskExec', metadata: { name, creationTimestamp: '2025-12-31T23:59:00Z' } },
  ...{ spec: { taskName, command: ['ls', '-l'] }, status: { state: 'Succeeded', exitStatus: 0 } },
});

describe('kubectl runlet exec', () => {
  beforeEach(() => answer('create', { metadata: { name: 'demo-x' } }));

  it('is recorded as a NodeTaskExec; output and exit status are the command’s', async () => {
    ended({ state: 'Failed', reason: 'NonZeroExit', exitStatus: 7, stdout: 'out\n', stderr: 'err\n', truncated: true });
    const result = await plugin('exec', 'demo', '-n', 'team-a', '--timeout', '5s', '--', 'sh', '-c', 'exit 7');
    expect(result.status).toBe(7);
    expect(result.stdout).toBe('out\n');
    expect(result.stderr).toBe('err\noutput was left out: demo-x keeps its beginning and end\n');
    expect(input()).toMatchObject({
      kind: 'NodeTaskExec',
      spec: { command: ['sh', '-c', 'exit 7'], timeoutSeconds: 5 },
    });
    expect(calls().some((call) => call.endsWith('nodetaskexecs.runlet.dev/demo-x|--timeout=95s'))).toBe(true);
  });

  it('ends with 255 when nobody saw how it ended, with 1 and the reason when it never ran', async () => {
    ended({ state: 'Unknown', message: 'the agent was killed meanwhile' });
    expect(await plugin('exec', 'demo', '--', 'ls')).toMatchObject({
      ...{ status: 255, stderr: 'error: nobody saw how it ended: the agent was killed meanwhile\n' },
    });
    ended({ state: 'Failed', reason: 'StartFailed', message: 'no such program' });
    expect(await plugin('exec', 'demo', '--', 'ls')).toMatchObject({
      ...{ status: 1, stderr: 'error: demo-x Failed: StartFailed: no such program\n' },
    });
    expect((await plugin('exec', 'demo')).stderr).toContain('name a command');
  });
});

it('kubectl runlet checkpoint makes a NodeTaskCheckpoint and prints where it is', async () => {
  answer('create', { metadata: { name: 'c1' } });
  const status = { state: 'Succeeded', path: 'checkpoints/team-a/u2' };
  answer('get-nodetaskcheckpoints.runlet.dev', { metadata: { name: 'c1' }, spec: {}, status });
  expect((await plugin('checkpoint', 'demo', '--stop', '--name', 'c1')).stdout).toBe(
    'nodetaskcheckpoints.runlet.dev/c1 checkpoints/team-a/u2\n',
  );
  expect(input()).toMatchObject({
    kind: 'NodeTaskCheckpoint',
    metadata: { name: 'c1' },
    spec: { afterCheckpoint: 'Stop' },
  });
});

it('kubectl runlet describe shows state, conditions, requests of this task and events', async () => {
  const kinds = ['execs', 'signals', 'checkpoints', 'execsessions', 'attachsessions', 'logsessions', 'topsessions'];
  answer(`get-${kinds.map((kind) => `nodetask${kind}.runlet.dev`).join(',')}`, {
    items: [request('x1', 'demo'), request('x2', 'other')],
  });
  answer('get-events', {
    items: [
      { type: 'Normal', reason: 'Started', message: 'it runs', lastTimestamp: '2025-12-31T23:50:00Z', metadata: {} },
    ],
  });
  const { stdout, status } = await plugin('describe', 'demo');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^Name: +demo\nNamespace: +team-a\nNode: +node-a\n/);
  expect(stdout).toMatch(/^Last exit: +1 Error$/m);
  expect(stdout).toMatch(/^ +Ready +True +Running +it runs$/m);
  expect(stdout).toMatch(/^ +NodeTaskExec +x1 +Succeeded +- +0 +60s +ls -l$/m);
  expect(stdout).not.toContain('x2');
  expect(stdout).toMatch(/^ +Normal +Started +10m +it runs$/m);
});

describe('the plugin', () => {
  it('says when there is no kubectl', async () => {
    const shell = { ...testShell(), env: { PATH: '/nonexistent' } };
    expect(await runPlugin(['pause', 'demo'], shell)).toBe(1);
    expect(shell.err()).toBe('error: cannot run kubectl: there is no such program on PATH\n');
  });

  it.each(verbs)('explains $name', async ({ name, example }) => {
    const { status, stdout } = await plugin(name, '--help');
    expect(status).toBe(0);
    expect(stdout).toContain(example);
    expect(stdout).toContain('--kubeconfig <file>');
  });
});
