import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#async/clock.ts';
import { FailedPreconditionError, PermissionDeniedError } from '#errors/errors.ts';
import type { SessionClient, SessionDoor, SessionTicket } from '#api/ports.ts';
import { SessionServer } from '#api/session-server.ts';
import { silentLog } from '#log/log.ts';
import { testShell, type TestShell } from '../../../test/support/cli.ts';
import { runPlugin } from './program.ts';

let folder: string;
let server: SessionServer | undefined;
/** What the agent was shown. */
let ticket: SessionTicket | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  ticket = undefined;
  // Answers as the cluster would, notes its arguments, a line a call, and what it was to create.
  const kubectl = join(folder, 'kubectl');
  const pod = {
    metadata: { name: 'runlet-abc', ownerReferences: [{ kind: 'DaemonSet' }] },
    spec: { containers: [{ ports: [{ name: 'metrics', containerPort: 1 }] }, { ports: [streamPort] }] },
    status: { phase: 'Running' },
  };
  const old = { ...pod, metadata: { ...pod.metadata, name: 'old', deletionTimestamp: 'x' } };
  const controller = { ...pod, metadata: { name: 'controller', ownerReferences: [{ kind: 'ReplicaSet' }] } };
  answer('pods', { items: [controller, old, pod] });
  answer('task', { metadata: { name: 'demo', namespace: 'team-a', uid: 'u1' }, spec: { nodeName: 'node-a' } });
  answer('created', { metadata: { name: 'demo-x', namespace: 'team-a', uid: 'u2' } });
  writeFileSync(
    kubectl,
    `#!/bin/sh
cd ${folder}
echo "$*" >> calls
case " $* " in
  *" port-forward "*)
    [ -f no-way ] && { cat no-way >&2; exit 1; }
    echo "Forwarding from 127.0.0.1:$(cat port) -> 7"; exec sleep 1000 ;;
  *" create "*) cat > input; [ -f refused ] && { cat refused >&2; exit 1; }; cat created ;;
  *" pods "*) cat pods ;;
  *" whoami "*) exit 1 ;;
  *) cat task ;;
esac
`,
  );
  chmodSync(kubectl, 0o755);
});
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const streamPort = { name: 'stream', containerPort: 7 };

function answer(name: string, what: unknown): void {
  writeFileSync(join(folder, name), typeof what === 'string' ? what : JSON.stringify(what));
}

/** An agent that lets everybody in and talks as the test says. */
async function agent(talk: (client: SessionClient) => Promise<void>): Promise<void> {
  const door: SessionDoor = {
    open: async (shown, client) => {
      ticket = shown;
      await talk(client);
    },
  };
  server = new SessionServer({ address: { host: '127.0.0.1', port: 0 }, door, clock: systemClock, log: silentLog() });
  answer('port', String(await server.listen()));
}

function start(argv: readonly string[], options: { readonly tty?: boolean } = {}) {
  const env = { PATH: `${folder}:${process.env['PATH']}`, TERM: 'xterm-256color' };
  const shell: TestShell = { ...testShell({ nowMs: 1_767_225_600_000, ...options }), env };
  return { shell, done: runPlugin(argv, shell) };
}

async function plugin(...argv: string[]) {
  const { shell, done } = start(argv);
  shell.stdin.end();
  return { status: await done, stdout: shell.out(), stderr: shell.err() };
}

const calls = () => readFileSync(join(folder, 'calls'), 'utf8').trimEnd().split('\n');
const made = () => JSON.parse(readFileSync(join(folder, 'input'), 'utf8')) as { spec: Record<string, unknown> };
const started = { kind: 'started', terminal: false, recorded: false } as const;
const output = (stream: 'stdout' | 'stderr', text: string) =>
  ({ kind: 'output', stream, data: Buffer.from(text) }) as const;

const line = (stream: 'stdout' | 'stderr', text: string) =>
  ({ kind: 'log', line: { time: 'T', stream, data: Buffer.from(text) } }) as const;

/** Everything that is typed, until its end. */
async function typed({ input }: SessionClient): Promise<string> {
  let text = '';
  for (;;) {
    const { done, value } = await input.next();
    if (done || value.kind === 'closeStdin') return text;
    if (value.kind === 'stdin') text += Buffer.from(value.data).toString();
  }
}

describe('kubectl runlet exec -i', () => {
  it('announces a session by a digest alone, and shows its secret to the agent of the task’s node', async () => {
    await agent(async (client) => {
      await client.send(started);
      await client.send(output('stdout', `got ${await typed(client)}`));
      await client.send(output('stderr', 'err\n'));
      await client.send({ kind: 'exit', status: 9, reason: 'Exited' });
    });
    const { shell, done } = start(['exec', '-i', 'demo', '--context', 'c', '-n', 'team-a', '--', 'sh', '-l']);
    shell.stdin.write('a ');
    shell.stdin.end('b\n');
    expect(await done).toBe(9);
    expect([shell.out(), shell.err()]).toEqual(['got a b\n', 'err\n']);
    expect(calls()).toEqual([
      '--context c --namespace team-a get nodetasks.runlet.dev demo -o json',
      '--context c --namespace runlet-system get pods -l app.kubernetes.io/name=runlet --field-selector spec.nodeName=node-a -o json',
      '--context c --namespace runlet-system port-forward --address 127.0.0.1 pod/runlet-abc :7',
      '--context c --namespace team-a auth whoami -o json',
      '--context c --namespace team-a create -f - -o json',
    ]);
    const { secret = Buffer.of(), ...shown } = ticket ?? {};
    expect(shown).toEqual({ kind: 'NodeTaskExecSession', namespace: 'team-a', name: 'demo-x', uid: 'u2' });
    expect(secret.length).toBe(32);
    const secretSHA256 = createHash('sha256').update(secret).digest('hex');
    expect(made()).toMatchObject({
      kind: 'NodeTaskExecSession',
      metadata: { generateName: 'demo-', namespace: 'team-a', ownerReferences: [{ uid: 'u1' }] },
    });
    expect(made().spec).toEqual({
      ...{ nodeName: 'node-a', taskName: 'demo', taskUID: 'u1', secretSHA256 },
      ...{ command: ['sh', '-l'], stdin: true, tty: false },
    });
  });

  it('hands signals on, and gives up after the fourth', async () => {
    const signals: number[] = [];
    await agent(async (client) => {
      await client.send(started);
      for (;;) {
        const { done, value } = await client.input.next();
        if (done) return;
        if (value.kind === 'signal') signals.push(value.signal);
      }
    });
    const { shell, done } = start(['exec', '-i', 'demo', '--', 'sh']);
    let times = 0;
    const press = setInterval(() => {
      if (shell.signal('SIGINT')) times += 1;
    }, 5);
    expect(await done).toBe(130);
    clearInterval(press);
    expect(times).toBeGreaterThanOrEqual(4);
    expect(signals.slice(0, 3)).toEqual([2, 2, 2]);
  });
});

describe('kubectl runlet exec -it', () => {
  it('takes the size and kind of the terminal along, and says that it is recorded', async () => {
    await agent(async (client) => {
      await client.send({ kind: 'started', terminal: true, recorded: true });
      await client.send({ kind: 'exit', status: 0, reason: 'Exited' });
    });
    const { shell, done } = start(['exec', '-it', 'demo', '--', 'sh'], { tty: true });
    expect(await done).toBe(0);
    expect(shell.err()).toBe('this session is recorded on node node-a\n');
    expect(ticket?.size).toEqual({ width: 80, height: 24 });
    expect(made().spec).toMatchObject({ stdin: true, tty: true, env: [{ name: 'TERM', value: 'xterm-256color' }] });
  });

  it('does without a terminal where the input is none, and says so', async () => {
    await agent(async (client) => {
      await client.send(started);
      await client.send({ kind: 'exit', status: 0, reason: 'Exited' });
    });
    expect((await plugin('exec', '-it', 'demo', '--', 'sh')).stderr).toBe(
      'unable to use a terminal: the input is none\n',
    );
    expect(made().spec).toMatchObject({ stdin: true, tty: false });
  });
});

describe('kubectl runlet attach', () => {
  it('lets go by its keys, and says how to come back', async () => {
    await agent(async (client) => {
      await client.send({ kind: 'started', terminal: true, recorded: false });
      await typed(client).catch(() => '');
    });
    const { shell, done } = start(['attach', '-it', 'demo'], { tty: true });
    shell.stdin.write('ls\r\u0010\u0011');
    expect(await done).toBe(0);
    expect(shell.err()).toBe('\r\ndetached; `kubectl runlet attach demo` connects again\r\n');
    expect(made().spec).toMatchObject({ stdin: true });
  });
});

describe('kubectl runlet logs', () => {
  it('asks for the lines that are wanted and prints each to its stream', async () => {
    await agent(async (client) => {
      await client.send(started);
      await client.send(line('stdout', 'a\n'));
      await client.send(line('stderr', 'b\n'));
    });
    const flags = ['-f', '--tail', '3', '--since', '10s', '--attempt', '2', '--timestamps'];
    expect(await plugin('logs', ...flags, 'demo')).toEqual({ status: 0, stdout: 'T a\n', stderr: 'T b\n' });
    expect(ticket?.logs).toEqual({ follow: true, tail: 3, attempt: 2, sinceMs: 1_767_225_590_000 });
  });
});

describe('a session', () => {
  it('is refused with the words of the API server, the agent or kubectl', async () => {
    await agent(() => Promise.reject(new PermissionDeniedError('the secret is not that of it')));
    expect(await plugin('top', 'demo')).toEqual({
      ...{ status: 1, stdout: '' },
      stderr: 'error: the secret is not that of it\n',
    });
    answer('refused', 'Error from server (Forbidden): nodetasktopsessions.runlet.dev is forbidden\n');
    expect((await plugin('top', 'demo')).stderr).toContain('nodetasktopsessions.runlet.dev is forbidden');
    answer('no-way', 'Error from server (Forbidden): pods "runlet-abc" is forbidden\n');
    expect((await plugin('top', 'demo')).stderr).toContain('pods "runlet-abc" is forbidden');
    answer('pods', { items: [] });
    expect((await plugin('top', 'demo')).stderr).toBe(
      "error: the agent's pod on node node-a is not there in namespace runlet-system: --agent-namespace names another\n",
    );
  });

  it('that is cut off says why', async () => {
    await agent(async (client) => {
      await client.send(started);
      throw new FailedPreconditionError('the object demo-x was deleted');
    });
    expect(await plugin('exec', '-i', 'demo', '--', 'sh')).toMatchObject({
      ...{ status: 1, stderr: 'error: the object demo-x was deleted\n' },
    });
  });
});
