import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.ts';
import { eventually } from './node.ts';

/** What a program said when it ended well. */
export interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A machine within the machine: mounts, network and processes of a test's own. When it ends, also by the death of the test,
 * the kernel ends its processes and takes away its mounts and interfaces; files and cgroups are the machine's.
 */
export class NodeNamespaces implements AsyncDisposable {
  readonly #init: Child;
  readonly #pid: number;
  readonly #folder: string;

  private constructor(init: Child, pid: number, folder: string) {
    this.#init = init;
    this.#pid = pid;
    this.#folder = folder;
  }

  /**
   * Makes one. `binds` are its own folders for those of the machine, by the machine's path, and `address` is one more of its
   * loopback interface. All its mounts are shared, as on a node.
   */
  static async start(options: {
    readonly folder: string;
    readonly binds: ReadonlyMap<string, string>;
    readonly address: string;
  }): Promise<NodeNamespaces> {
    const { folder } = options;
    const script = join(folder, 'init.sh');
    const ready = join(folder, 'init.ready');
    writeFileSync(script, initScript(options.binds, options.address, ready));
    const argv = ['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const init = new Child('namespaces', [...argv, '--propagation', 'private', 'bash', script], {
      logFile: join(folder, 'init.log'),
      cwd: folder,
    });
    const pid = await eventually(
      () => {
        if (!init.running) throw new Error(`the namespaces ended: ${init.log()}`);
        return childOf(init.pid, ready);
      },
      (found) => found > 0,
      'namespaces of a node',
    );
    return new NodeNamespaces(init, pid, folder);
  }

  /** Starts a program in them. It is killed when the returned child is. */
  spawn(name: string, argv: readonly string[]): Child {
    const inside = this.enter(['setpriv', '--pdeathsig', 'KILL', ...argv]);
    return new Child(name, inside, { logFile: join(this.#folder, `${name}.log`) });
  }

  /** Runs a program in them. Throws with what it said when it fails. */
  async run(argv: readonly string[], options: { readonly input?: string; readonly env?: object } = {}): Promise<Said> {
    const [program = '', ...rest] = this.enter(argv);
    return await new Promise((resolve, reject) => {
      const settings = { env: { ...process.env, ...options.env }, maxBuffer: 2 ** 27 };
      const child = execFile(program, rest, settings, (error, stdout, stderr) => {
        if (error) reject(new Error(`${argv.join(' ')}: ${stderr || stdout || error.message}`));
        else resolve({ stdout, stderr });
      });
      child.stdin?.on('error', () => {}); // it has ended without reading: how it ended says more
      child.stdin?.end(options.input ?? '');
    });
  }

  /** Ends every process in them and returns when the last is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#init.stop();
    // the first process of a pid namespace goes last, and with it the rest
    const gone = () => !isAlive(this.#pid);
    await eventually(gone, (value) => value, 'the end of all processes of a node');
  }

  /** The command that runs another one in them. */
  enter(argv: readonly string[]): string[] {
    return [
      'nsenter',
      '--target',
      String(this.#pid),
      '--mount',
      '--net',
      '--pid',
      `--wdns=${this.#folder}`,
      '--',
      ...argv,
    ];
  }
}

/** bash takes in every child that is left to it, as a first process must. */
function initScript(binds: ReadonlyMap<string, string>, address: string, ready: string): string {
  const mounts = [...binds].map(([target, source]) => `mount --bind '${source}' '${target}'`);
  return `set -eu
mount --make-rshared /
${mounts.join('\n')}
ip link set lo up
ip address add ${address}/32 dev lo
touch '${ready}'
while :; do sleep 3600 & wait $! || true; done
`;
}

function childOf(parent: number, ready: string): number {
  try {
    readFileSync(ready);
    return Number(readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')[0] ?? 0);
  } catch {
    return 0;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
