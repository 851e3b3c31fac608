import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.ts';
import { eventually, type TestNode } from './node.ts';

/** A real containerd of a test's own. */
export interface RunningContainerd extends AsyncDisposable {
  readonly socket: string;
  readonly pid: number;
}

export interface ContainerdOptions {
  /** Where it serves /v1/metrics, as `host:port`; nowhere by default. */
  readonly metricsAddress?: string;
  /** Whether it serves what a kubelet asks for. */
  readonly cri?: boolean;
}

/** Starts one with its folders in the test's node; its tasks end with it. */
export async function startContainerd(node: TestNode, options: ContainerdOptions = {}): Promise<RunningContainerd> {
  const { metricsAddress, cri = false } = options;
  const folder = join(node.folder, 'containerd');
  const socket = join(folder, 'containerd.sock');
  mkdirSync(folder, { recursive: true });
  // Without snapshotters that nobody needs, and CRI where nobody asks for it. Raising scores of processes needs a right that a
  // machine may withhold.
  const disabled = [
    ...(cri ? [] : ['io.containerd.grpc.v1.cri']),
    ...['io.containerd.internal.v1.opt', 'io.containerd.tracing.processor.v1.otlp'],
    ...['btrfs', 'zfs', 'aufs', 'devmapper'].map((name) => `io.containerd.snapshotter.v1.${name}`),
  ];
  writeFileSync(
    join(folder, 'config.toml'),
    `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ${JSON.stringify(disabled)}
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
${metricsAddress ? `[metrics]\n  address = "${metricsAddress}"\n` : ''}\
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
`,
  );
  const daemon = new Child('containerd', ['containerd', '-c', join(folder, 'config.toml')], {
    logFile: join(folder, 'log'),
  });
  const ctr = (...args: string[]) => execFileSync('ctr', ['-a', socket, ...args], { encoding: 'utf8', stdio: 'pipe' });
  await eventually(
    () => {
      if (!daemon.running) throw new Error(`containerd ended: ${daemon.log()}`);
      try {
        return ctr('version');
      } catch {
        return undefined;
      }
    },
    (version) => version !== undefined,
    'containerd answers',
  );
  return {
    socket,
    pid: daemon.pid,
    [Symbol.asyncDispose]: async () => {
      for (const namespace of lines(ctr('namespaces', 'ls', '-q'))) {
        for (const id of lines(ctr('-n', namespace, 'tasks', 'ls', '-q'))) {
          try {
            ctr('-n', namespace, 'tasks', 'rm', '-f', id);
          } catch {
            // it has ended meanwhile
          }
        }
      }
      await daemon.stop('SIGTERM');
    },
  };
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
