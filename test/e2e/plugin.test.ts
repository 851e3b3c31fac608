import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliProcess } from '../support/cli-process.ts';
import { startCluster, type Cluster } from '../support/cluster.ts';
import { imageArchive } from '../support/image-archive.ts';
import { eventually } from '../support/node.ts';
import { makeBusyboxRootfs } from '../support/rootfs.ts';
import { clientProgram } from '../support/server-programs.ts';

const project = join(import.meta.dirname, '../..');
const main = join(project, 'src/kubectl-runlet.ts');
const namespace = 'team';
const timeout = '180s';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
  const rootfs = makeBusyboxRootfs(join(cluster.folder, 'rootfs/busybox'));
  await cluster.importImage(imageArchive(cluster.folder));
  await cluster.kubectl(['create', 'namespace', namespace]);
  await cluster.kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=privileged']);
  const values = join(cluster.folder, 'values.yaml');
  writeFileSync(values, JSON.stringify(valuesOf(dirname(rootfs))));
  await cluster.helm([
    ...['install', 'runlet', join(project, 'charts/runlet'), '-n', 'runlet-system', '--create-namespace'],
    ...['--values', values, '--wait', '--timeout', timeout],
  ]);
  await applyTask(rootfs);
});
afterAll(async () => await cluster?.[Symbol.asyncDispose]());

function valuesOf(rootfsFolder: string): object {
  const jane = { kind: 'User', name: 'jane', apiGroup: 'rbac.authorization.k8s.io' };
  const policy = 'recording:\n  sessions: [{namespace: team, mode: Required}]\n';
  return {
    allowUnsupportedKubernetes: true,
    agent: { cgroupParent: `${cluster.cgroup}/runlet`, rootfsAllow: [rootfsFolder], policy },
    rbac: { streamSubjects: [jane] },
  };
}

async function applyTask(rootfs: string): Promise<void> {
  const script = 'trap "echo hup" HUP; echo begins; while :; do sleep 0.1; done';
  const task = {
    apiVersion: 'runlet.dev/v1alpha1',
    kind: 'NodeTask',
    metadata: { name: 'web', namespace },
    spec: { nodeName: cluster.nodeName, rootfs: { path: rootfs }, command: ['/bin/sh', '-c', script] },
  };
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(task));
  await cluster.kubectl(['wait', '-n', namespace, 'nodetask/web', '--for=condition=Ready', `--timeout=${timeout}`]);
  // What the aggregated role admin gives her in her namespace, and streamSubjects for the way to the agents.
  await cluster.kubectl(['create', 'rolebinding', 'jane', '-n', namespace, '--clusterrole=admin', '--user=jane']);
}

/** The plugin as a user calls it, on the cluster's network, with the real kubectl. */
function start(user: string, argv: readonly string[], terminal = false): CliProcess {
  const home = join(cluster.folder, 'home');
  mkdirSync(home, { recursive: true });
  const env = {
    ...{ PATH: `${dirname(clientProgram('kubectl'))}:${process.env['PATH']}`, HOME: home, TERM: 'xterm' },
    ...{ KUBECONFIG: join(cluster.folder, 'admin.kubeconfig'), SHELL: '/bin/sh' },
  };
  const [verb = '', ...rest] = argv;
  const plugin = [process.execPath, main, verb, '--as', user, '-n', namespace, ...rest];
  const quoted = plugin.map((word) => `'${word}'`).join(' ');
  const command = terminal ? ['script', '-qec', `stty rows 30 cols 100; ${quoted}`, '/dev/null'] : plugin;
  const [program = '', ...args] = cluster.namespaces.enter(command);
  return new CliProcess(program, args, env);
}

async function run(user: string, argv: readonly string[], input = '') {
  await using running = start(user, argv);
  running.type(input);
  running.endInput();
  const status = await running.end();
  return { status, stdout: running.out, stderr: running.err };
}

describe('kubectl runlet on a whole cluster', () => {
  it('goes by the kubelet’s port-forward to the agent’s loopback, with pipes and the exit status', async () => {
    const script = 'read line; echo "got $line"; exit 7';
    const { status, stdout, stderr } = await run('jane', ['exec', '-i', 'web', '--', 'sh', '-c', script], 'it\n');
    expect([status, stdout], stderr).toEqual([7, 'got it\n']);
    expect(stderr).toBe(`this session is recorded on node ${cluster.nodeName}\n`);
  });

  it('gives a terminal, and writes down what is typed and shown for root alone', async () => {
    await using shell = start('jane', ['exec', '-it', 'web', '--', 'sh'], true);
    await shell.shows('is recorded on node');
    shell.type('stty size\r');
    await shell.shows(/30 100\r/);
    // Its own word says that it runs, so that Ctrl-C ends it and not the line that starts it.
    shell.type('sh -c "echo re""ady; exec sleep 1000"\r');
    await shell.shows(/\nready\r/);
    shell.type('\x03');
    await shell.shows(/\^C[^]*# /);
    shell.type('exit 5\r');
    expect(await shell.end()).toBe(5);
    const ended = await eventually(
      async () => (await cluster.get('nodetaskexecsessions', '-n', namespace)).items ?? [],
      (objects) => objects.every(({ status }) => status?.['exitStatus'] !== undefined),
      'the sessions say how they ended',
    );
    const recording = ended.map(({ status }) => String(status?.['recording']));
    const folder = cluster.own('/var/lib/runlet');
    const casts = recording.map((path) => ({
      path: join(folder, path),
      text: readFileSync(join(folder, path), 'utf8'),
    }));
    const cast = casts.find(({ text }) => text.includes('30 100'));
    expect(cast?.text).toMatch(/^\{"version":2,"width":100,"height":30,"timestamp":\d+,/);
    // The first line may be typed before the terminal hands every key on as it is.
    expect(typedIn(cast?.text ?? '')).toMatch(/stty size[\r\n][^]*exit 5\r/);
    expect(statSync(cast?.path ?? '').mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'recordings', namespace)).length).toBe(ended.length);
  });

  it('prints logs and numbers, and shows a task', async () => {
    const logs = await run('jane', ['logs', '--tail', '1', 'web']);
    expect(logs, logs.stderr).toMatchObject({ status: 0, stdout: 'begins\n' });
    const top = await run('jane', ['top', 'web']);
    expect(top.stdout, top.stderr).toMatch(/\nweb +\d/);
    await using attached = start('jane', ['attach', '--no-stdin', 'web']);
    await attached.shows('is recorded on node');
    const killed = await run('jane', ['kill', '-s', 'HUP', 'web']);
    expect(killed.stdout, killed.stderr).toContain('signalled HUP');
    await attached.shows('hup\n');
    await cluster.kubectl(['delete', 'nodetaskattachsessions', '-n', namespace, '--all', '--wait=false']);
    expect(await attached.end()).toBe(1);
    expect(attached.err).toMatch(/the object web-\w+ was deleted/);
  });

  it('lets the API server refuse the way and the session', async () => {
    const stranger = await run('bob', ['exec', '-i', 'web', '--', 'id']);
    expect(stranger).toMatchObject({ status: 1, stdout: '' });
    expect(stranger.stderr).toContain('User "bob" cannot get resource "nodetasks"');
    await cluster.kubectl(['create', 'rolebinding', 'bob', '-n', namespace, '--clusterrole=admin', '--user=bob']);
    const noWay = await run('bob', ['exec', '-i', 'web', '--', 'id']);
    expect(noWay).toMatchObject({ status: 1, stdout: '' });
    expect(noWay.stderr).toContain('User "bob" cannot list resource "pods"');
    await cluster.kubectl(['delete', 'rolebinding', 'jane', '-n', namespace]);
    await cluster.kubectl(['create', 'rolebinding', 'jane', '-n', namespace, '--clusterrole=view', '--user=jane']);
    const noRight = await run('jane', ['exec', '-i', 'web', '--', 'id']);
    expect(noRight).toMatchObject({ status: 1, stdout: '' });
    expect(noRight.stderr).toContain('User "jane" cannot create resource "nodetaskexecsessions"');
    expect(await run('jane', ['logs', '--tail', '1', 'web'])).toMatchObject({ status: 0 });
  });
});

/** What was typed, of a recording. */
function typedIn(cast: string): string {
  return cast
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as [number, string, string])
    .filter(([, code]) => code === 'i')
    .map(([, , text]) => text)
    .join('');
}
