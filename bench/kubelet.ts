/** A kubelet without a cluster, for what its cAdvisor tells of cgroups. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubeletConfiguration } from '../test/support/cluster-programs.ts';
import { NodeNamespaces } from '../test/support/node-namespaces.ts';
import { eventually } from '../test/support/node.ts';
import { nodeProgram } from '../test/support/server-programs.ts';
import { cpuMsOf, processesNamed } from './program.ts';
import type { ContainerdSide } from './sides.ts';

const port = 10_255;

/** What one question for /metrics/cadvisor took. */
export interface Answer {
  readonly ms: number;
  readonly bytes: number;
  /** Cgroups below the parent of the tasks that it tells of. */
  readonly tasks: number;
}

export interface Kubelet extends AsyncDisposable {
  /** Asks so often, one question after the other. */
  ask(times: number): Promise<readonly Answer[]>;
  /** CPU time that it has used, in milliseconds. */
  cpuMs(): number;
}

/** What a kubelet sets for a whole machine when it starts. */
const settings = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops'];

/** Starts one on a containerd's node, in namespaces of its own. Disposing of it gives the machine its settings back and leaves no folder. */
export async function startKubelet({ node, socket }: ContainerdSide): Promise<Kubelet> {
  const folder = join(node.folder, 'kubelet');
  const own = ['/var/lib/kubelet', '/var/log/pods', '/var/log/containers'];
  const binds = new Map(own.map((path) => [path, join(folder, 'own', path)]));
  const made = own.filter((path) => !existsSync(path));
  for (const [target, source] of binds) for (const path of [target, source]) mkdirSync(path, { recursive: true });
  const before = new Map(settings.map((name) => [name, readFileSync(`/proc/sys/${name}`, 'utf8')]));
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  const namespaces = await NodeNamespaces.start({ folder, binds, address: '10.96.0.1' });
  namespaces.spawn('kubelet', [
    ...[nodeProgram('kubelet'), `--config=${join(folder, 'config.yaml')}`, `--root-dir=${join(folder, 'root')}`],
    ...['--container-runtime=remote', `--container-runtime-endpoint=unix://${socket}`],
    ...[`--cgroup-root=${node.cgroupParent}`, `--cert-dir=${join(folder, 'certs')}`],
    ...['--hostname-override=bench', '--node-ip=10.96.0.1'],
  ]);
  const ask = async (times: number) => {
    const { stdout } = await namespaces.run([process.execPath, '--input-type=module', '--eval', asker(times)]);
    return JSON.parse(stdout) as readonly Answer[];
  };
  const dispose = async () => {
    await namespaces[Symbol.asyncDispose]();
    for (const [name, value] of before) writeFileSync(`/proc/sys/${name}`, value);
    for (const path of made) rmdirSync(path);
  };
  try {
    await eventually(
      async () => {
        try {
          return (await ask(1))[0]?.tasks ?? 0;
        } catch {
          return 0;
        }
      },
      (tasks) => tasks > 0,
      'the kubelet tells of tasks',
    );
  } catch (error) {
    const said = readFileSync(join(folder, 'kubelet.log'), 'utf8').slice(-3000);
    await dispose();
    throw new Error(`the kubelet does not start: ${said}`, { cause: error });
  }
  return {
    ask,
    cpuMs: () => processesNamed(node.running(), 'kubelet').reduce((sum, pid) => sum + cpuMsOf(pid), 0),
    [Symbol.asyncDispose]: dispose,
  };
}

const config = { ...kubeletConfiguration, readOnlyPort: port, makeIPTablesUtilChains: false };

/** A program that asks, for its network is not ours. */
function asker(times: number): string {
  return `
const answers = [];
for (let asked = 0; asked < ${times}; asked += 1) {
  const began = performance.now();
  const response = await fetch('http://127.0.0.1:${port}/metrics/cadvisor');
  const text = await response.text();
  const ms = performance.now() - began;
  const tasks = new Set(text.match(/id="[^"]*\\/kubepods\\/bench\\/[^"]+"/g)).size;
  answers.push({ ms, bytes: text.length, tasks });
}
console.log(JSON.stringify(answers));
`;
}
