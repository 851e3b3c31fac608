/** A ctr on a terminal that reads nothing for a while: the task must not notice, the agent must not keep it all, and ctr is told. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { runCtr } from '../support/ctr.ts';
import { eventually } from '../support/node.ts';

let node: AgentNode;
let agent: RunningAgent;

beforeAll(async () => {
  node = makeAgentNode();
  mkdirSync(join(node.folder, 'fifos'));
  agent = await node.start();
});
afterAll(async () => {
  await agent.stop();
  await node.clean();
});

const writtenBytes = 128_000_000;

/** What the agent may grow by meanwhile: it keeps 4 MiB for a client, but V8 lets some 60 MB of garbage gather before it looks. */
const mayGrowBytes = 96_000_000;

/** How long the writing may take on a busy machine, a part of the test's own limit. */
const writingMs = 100_000;

const work = [
  'echo ready',
  'while [ ! -e /tmp/stalled-go ]; do sleep 0.05; done',
  `head -c ${writtenBytes} /dev/zero | tr "\\0" x`,
  'echo; touch /tmp/stalled-done',
  'while read line; do echo "got-$line"; [ "$line" != end ] || break; done',
  // ctr closes its terminal at once when it hears of an end, whatever was on its way.
  'while [ ! -e /tmp/stalled-end ]; do sleep 0.05; done',
  'exit 7',
].join('; ');

/** ctr on a terminal of its own. */
class Session implements AsyncDisposable {
  readonly #script;
  readonly ended: Promise<unknown>;
  #said = '';

  constructor(command: string) {
    this.#script = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], { stdio: 'pipe' });
    this.#script.stdout.on(
      'data',
      (data: Buffer) => void (this.#said = (this.#said + data.toString()).slice(-10_000_000)),
    );
    this.#script.stdin.on('error', () => {}); // it has ended
    this.ended = once(this.#script, 'close').then(([code]) => code as unknown);
  }

  /** Stops when what it runs is stopped, and has to be told to go on as well. */
  goOn(): void {
    this.#script.kill('SIGCONT');
  }

  types(text: string): void {
    this.#script.stdin.write(text);
  }

  /** What its marks say that it has missed. */
  get missedBytes(): number {
    const marks = this.#said.matchAll(/\[runlet: (\d+) bytes of output were not read in time\]/g);
    return [...marks].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  }

  async says(text: RegExp): Promise<RegExpExecArray> {
    const found = await eventually(
      () => text.exec(this.#said),
      (match) => match !== null,
      `ctr prints ${text.source}`,
    );
    if (!found) throw new Error(`ctr did not print ${text.source}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#script.kill('SIGKILL');
    await this.ended;
  }
}

function ctrPid(id: string): number {
  const found = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const argv = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return argv[0] === 'ctr' && argv.includes(node.socket) && argv.includes(id);
    } catch {
      return false; // it has ended meanwhile
    }
  });
  expect(found).toHaveLength(1);
  return Number(found[0]);
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

it(
  'lets a task go on whose ctr has stopped reading its terminal, and tells ctr afterwards what it missed',
  { timeout: 3 * writingMs },
  async () => {
    const inRootfs = (name: string) => join(node.rootfs, 'tmp', name);
    for (const name of ['stalled-go', 'stalled-done', 'stalled-end']) rmSync(inRootfs(name), { force: true });
    const flags = `run -t --rm --fifo-dir ${join(node.folder, 'fifos')} --rootfs ${node.rootfs} stalled`;
    let ctr: number | undefined;
    await using session = new Session(`exec ctr -a ${node.socket} ${flags} /bin/sh -c '${work}'`);
    try {
      await session.says(/ready/);
      ctr = ctrPid('stalled');
      const before = residentBytes(agent.pid);
      process.kill(ctr, 'SIGSTOP');
      writeFileSync(inRootfs('stalled-go'), '');
      await eventually(
        () => existsSync(inRootfs('stalled-done')),
        (done) => done,
        'the task has written everything although nobody reads it',
        writingMs,
      );
      expect(residentBytes(agent.pid) - before).toBeLessThan(mayGrowBytes);
      session.goOn();
      process.kill(ctr, 'SIGCONT');
      await session.says(/bytes of output were not read in time\]/);
      session.types('hello\n');
      await session.says(/got-hello/);
      expect(session.missedBytes).toBeGreaterThan(writtenBytes / 2);
      expect(session.missedBytes).toBeLessThan(writtenBytes);
      session.types('end\n');
      await session.says(/got-end/);
      writeFileSync(inRootfs('stalled-end'), '');
      expect(await session.ended).toBe(7);
      expect(agent.log(), 'each wait for room takes its listeners back').not.toContain('MaxListenersExceeded');
    } finally {
      if (ctr !== undefined && existsSync(`/proc/${ctr}`)) process.kill(ctr, 'SIGKILL');
      await runCtr(node.socket, ['tasks', 'rm', '-f', 'stalled']);
      await runCtr(node.socket, ['containers', 'rm', 'stalled']);
    }
  },
);
