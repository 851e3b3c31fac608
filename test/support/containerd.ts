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

/** Starts one with its folders in the test's node; its tasks end with it. */
export async function startContainerd(node: TestNode): Promise<RunningContainerd> {
  const folder = join(node.folder, 'containerd');
  const socket = join(folder, 'containerd.sock');
  mkdirSync(folder, { recursive: true });
  // Without CRI and its like: only what ctr asks for. Raising scores of processes needs a right that a machine may withhold.
  writeFileSync(
    join(folder, 'config.toml'),
    `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
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
