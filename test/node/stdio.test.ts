import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FailedPreconditionError, UnavailableError } from '#errors/errors.ts';
import { openDescriptor, readNonblocking } from '#host/descriptors.ts';
import { rotatedLogs } from '#runtime/stdio/log-rotation.ts';
import type { Attachment, ProcessIo } from '#task/io.ts';
import { parseExecId } from '#task/ids.ts';
import { eventually, makeTestNode, type TestNode } from '../support/node.ts';
import { execRecord, makeRuntime, record, ref, sh, spec } from '../support/runtime.ts';

const execId = parseExecId('e');
const exec = { ...ref('t'), execId };
let node: TestNode;
let tested: ReturnType<typeof makeRuntime>;
beforeEach(async () => {
  node = makeTestNode();
  tested = makeRuntime(node);
  await tested.recover();
});
afterEach(async () => {
  await tested[Symbol.asyncDispose]();
  await node.clean();
});

const logPath = () => join(node.logs, 'default/t/0.log');
const toLog = (more: Partial<ProcessIo & { kind: 'log' }> = {}): ProcessIo => ({
  kind: 'log',
  terminal: false,
  stdin: false,
  path: logPath(),
  ...more,
});

/** Runs a script, which may write into its root filesystem. */
async function run(io: ProcessIo, script: string): Promise<void> {
  const root = { path: node.rootfs, readonly: false };
  await tested.runtime.create(record(node, 't', { io }), spec(node, sh(script), { root }), {});
  await tested.runtime.start(ref('t'), {});
}

/** Reads until the output has a text; returns all of it. */
async function readUntil(attachment: Attachment, text: string): Promise<string> {
  let seen = '';
  for await (const { data } of attachment.output) {
    seen += Buffer.from(data).toString();
    if (seen.includes(text)) return seen;
  }
  throw new Error(`the output ended without ${text}: ${JSON.stringify(seen.slice(-500))}`);
}

async function readAll(attachment: Attachment): Promise<Record<'stdout' | 'stderr', string>> {
  const all = { stdout: '', stderr: '' };
  for await (const { stream, data } of attachment.output) all[stream] += Buffer.from(data).toString();
  return all;
}

async function removeAll(): Promise<void> {
  await tested.runtime.delete(ref('t'));
  await eventually(
    () => node.leftovers(),
    (left) => left.length === 0,
    'nothing is left',
  );
}

function fifos(...names: readonly string[]): string[] {
  const paths = names.map((name) => join(node.folder, name));
  execFileSync('mkfifo', paths);
  return paths;
}

/** A client that has opened a FIFO to read it: what came until now. */
function reader(path: string): { text(): string; close(): void } {
  const descriptor = openDescriptor(path, 'read-nonblocking');
  let seen = '';
  return {
    text: () => {
      for (let part = readNonblocking(descriptor, 65_536); part?.length; part = readNonblocking(descriptor, 65_536)) {
        seen += part.toString();
      }
      return seen;
    },
    close: () => descriptor[Symbol.dispose](),
  };
}

/** The lines of standard output, put together of their parts: conmon cuts where a reading of the pipe ends. */
function whole(paths: readonly string[]): string[] {
  const text = paths.map((path) => readFileSync(path, 'utf8')).join('');
  const lines: string[] = [];
  let part = '';
  for (const [, tag, piece = ''] of text.matchAll(/^\S+ stdout ([FP]) (.*)$/gm)) {
    part += piece;
    if (tag === 'P') continue;
    lines.push(part);
    part = '';
  }
  return lines;
}

describe('a log', () => {
  it('is in CRI format, both streams, long and unended lines in parts', async () => {
    await run(toLog(), 'echo out; echo err >&2; head -c 20000 /dev/zero | tr "\\0" x; echo; printf end');
    await tested.exitOf(ref('t'));
    const lines = readFileSync(logPath(), 'utf8').trimEnd().split('\n');
    for (const line of lines) {
      expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) (stdout|stderr) [FP] /);
    }
    const parsed = lines.map((line) => / (stdout|stderr) ([FP]) (.*)$/.exec(line)?.slice(1) ?? []);
    expect(parsed.filter(([, , text]) => text === 'out')).toEqual([['stdout', 'F', 'out']]);
    expect(parsed.filter(([stream]) => stream === 'stderr')).toEqual([['stderr', 'F', 'err']]);
    expect(whole([logPath()]).filter((text) => text.startsWith('x'))).toEqual(['x'.repeat(20_000)]);
    expect(parsed.at(-1)).toEqual(['stdout', 'P', 'end']);
    await removeAll();
    expect(existsSync(logPath()), 'a log outlives its task').toBe(true);
  });

  it('can be followed by clients that come and go, each stream by its name', async () => {
    await run(toLog({ stdin: true }), 'while read line; do echo "got $line"; echo "bad $line" >&2; done; echo over');
    {
      await using first = await tested.runtime.attach(ref('t'));
      await first.write(Buffer.from('one\n'));
      expect(await readUntil(first, 'bad one')).toContain('got one');
    }
    await using second = await tested.runtime.attach(ref('t'));
    await second.write(Buffer.from('two\n'));
    await readUntil(second, 'bad two');
    await tested.runtime.kill(ref('t'), 9);
    expect(await readAll(second)).toEqual({ stdout: '', stderr: '' });
    await removeAll();
    expect(readFileSync(logPath(), 'utf8')).toMatch(/got one\n[^]*got two\n/);
  });

  it('ends the stdin of an interactive run when its client closes it', async () => {
    await run(toLog({ stdin: true, stdinOnce: true }), 'cat; echo over; exit 3');
    await using attachment = await tested.runtime.attach(ref('t'));
    await attachment.write(Buffer.from('hi\n'));
    await attachment.closeStdin();
    expect((await readAll(attachment)).stdout).toBe('hi\nover\n');
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 3 });
    await removeAll();
  });
});

/** Writes `count` numbered lines at full speed, in `bursts` with a breath between them, so that rotations fall into it. */
const numbers = (bursts: number, perBurst: number) =>
  `i=0; while [ $i -lt ${bursts} ]; do seq $((i*${perBurst}+1)) $(((i+1)*${perBurst})); i=$((i+1)); sleep 0.1; done`;

function numbersIn(paths: readonly string[]): number[] {
  return whole(paths).map(Number);
}

describe('rotation of a log', () => {
  it('loses no line, also when the agent is killed in the middle', async () => {
    const [bursts, perBurst] = [30, 10_000];
    const options = { maxBytes: 1_000_000, maxFiles: 1000 };
    const { state, cgroupParent, rootfs } = node;
    const driver = [join(import.meta.dirname, '../support/runtime-driver.ts'), 'log'];
    const given = JSON.stringify({
      state,
      cgroupParent,
      rootfs,
      script: numbers(bursts, perBurst),
      log: logPath(),
      ...options,
    });
    const first = spawn(process.execPath, [...driver, given], { stdio: ['ignore', 'ignore', 'inherit'] });
    await eventually(
      () => rotatedLogs(logPath()),
      (rotated) => rotated.length > 0,
      'the first rotation',
    );
    first.kill('SIGKILL');
    await once(first, 'exit');
    await using second = makeRuntime(node, options);
    const [found] = await second.recover();
    expect(found?.phase).toBe('running');
    expect(await second.exitOf(ref('t'))).toMatchObject({ status: 0 });
    const files = [...(await rotatedLogs(logPath())), ...(existsSync(logPath()) ? [logPath()] : [])];
    expect(files.length).toBeGreaterThan(2);
    const seen = numbersIn(files);
    expect(seen.length).toBe(bursts * perBurst);
    expect(seen.findIndex((number, index) => number !== index + 1)).toBe(-1);
    await second.runtime.delete(ref('t'));
    expect(node.leftovers()).toEqual([]);
  });

  it('keeps as many files as it may, the newest, none shorter than the limit', async () => {
    await tested[Symbol.asyncDispose]();
    tested = makeRuntime(node, { maxBytes: 100_000, maxFiles: 3 });
    await tested.recover();
    await run(toLog(), numbers(45, 2000));
    await tested.exitOf(ref('t'));
    const files = await rotatedLogs(logPath());
    expect(files.map((file) => basename(file))).toEqual([
      expect.stringMatching(/^0\.log\.\d{8}-\d{6}(\.\d+)?$/),
      expect.stringMatching(/^0\.log\.\d{8}-\d{6}(\.\d+)?$/),
    ]);
    for (const file of files) expect(readFileSync(file).length).toBeGreaterThanOrEqual(100_000);
    // The first line may have begun in a file that is gone.
    const seen = numbersIn([...files, logPath()]).slice(1);
    expect(seen.at(-1)).toBe(45 * 2000);
    expect(seen.findIndex((number, index) => number !== (seen[0] ?? 0) + index)).toBe(-1);
    await removeAll();
  });
});

const terminal: ProcessIo = { kind: 'log', terminal: true, stdin: true };

describe('a terminal', () => {
  it('can be attached to, resized, left and attached to again', async () => {
    await run(terminal, 'exec /bin/sh -i');
    {
      await using first = await tested.runtime.attach(ref('t'));
      await tested.runtime.resize(ref('t'), { width: 93, height: 31 });
      await first.write(Buffer.from('stty size; tty; kept=yes\n'));
      const seen = await readUntil(first, '/dev/pts/');
      expect(seen).toContain('31 93\r\n');
    }
    await using second = await tested.runtime.attach(ref('t'));
    await second.write(Buffer.from('echo kept-$kept; exit 4\n'));
    await readUntil(second, 'kept-yes');
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 4 });
    const resize = () => tested.runtime.resize(ref('t'), { width: 1, height: 1 }).catch((error: unknown) => error);
    await eventually(resize, (error) => error instanceof UnavailableError, 'the monitor is gone');
    await removeAll();
  });

  it('does not wait for a client that has stalled, who finds a mark where output is missing', async () => {
    await run(terminal, 'read go; head -c 9000000 /dev/zero | tr "\\0" x; echo; echo the-end; exit 0');
    await using stalled = await tested.runtime.attach(ref('t'));
    await stalled.write(Buffer.from('go\n'));
    // Nothing is read while the process writes more than is kept, and it comes to its end all the same.
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 0 });
    const { stdout } = await readAll(stalled);
    expect(stdout).toMatch(/^\r\n\[runlet: \d+ bytes of output were not read in time\]\r\nx/);
    expect(stdout).toMatch(/the-end\r\n$/);
    expect(stdout.length).toBeLessThan(4.1 * 1024 * 1024);
    await removeAll();
  });

  it('of a client with FIFOs gets what is typed and shows what comes', async () => {
    const [stdin = '', stdout = ''] = fifos('in', 'out');
    const screen = reader(stdout);
    await run({ kind: 'fifo', terminal: true, stdin, stdout }, 'exec /bin/sh -i');
    const keys = openSync(stdin, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(keys, 'echo it-is-$((6*7)); exit 5\n');
    await eventually(
      () => screen.text(),
      (text) => text.includes('it-is-42'),
      'the answer',
    );
    closeSync(keys);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 5 });
    screen.close();
    await removeAll();
  });

  it('loses output of a client with FIFOs that has stalled, not the client', async () => {
    const [stdin = '', stdout = ''] = fifos('in', 'out');
    const screen = reader(stdout);
    await run(
      { kind: 'fifo', terminal: true, stdin, stdout },
      'read go; head -c 9000000 /dev/zero | tr "\\0" x; touch /tmp/written; read go; echo "it-is-$go"; read go; exit 6',
    );
    const keys = openSync(stdin, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(keys, 'go\n');
    await eventually(
      () => existsSync(join(node.rootfs, 'tmp/written')),
      (written) => written,
      'the process has written everything although nobody reads it',
    );
    writeSync(keys, 'back\n');
    let seen = '';
    await eventually(
      () => (seen += screen.text()),
      (text) => text.includes('it-is-back'),
      'the answer',
    );
    const marks = [...seen.matchAll(/\[runlet: (\d+) bytes of output were not read in time\]/g)];
    const missed = marks.reduce((sum, [, bytes]) => sum + Number(bytes), 0);
    expect(missed).toBeGreaterThan(9_000_000 - 4.5 * 1024 * 1024);
    expect(missed + seen.replaceAll(/[^x]/g, '').length, 'everything is shown or counted').toBeGreaterThanOrEqual(
      9_000_000,
    );
    writeSync(keys, 'end\n');
    closeSync(keys);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 6 });
    screen.close();
    await removeAll();
  });

  it('ends for a client with FIFOs when it has taken the last output, because ctr closes them then', async () => {
    const [stdin = '', stdout = ''] = fifos('in', 'out');
    const descriptor = openDescriptor(stdout, 'read-nonblocking');
    const io = { kind: 'fifo', terminal: true, stdin, stdout } as const;
    await run(io, 'head -c 600000 /dev/zero | tr "\\0" x; exit 3');
    let seen = 0;
    let seenBeforeEnd = 0;
    await eventually(
      () => {
        if (tested.exits.length === 0) seenBeforeEnd = seen;
        seen += readNonblocking(descriptor, 20_000)?.length ?? 0;
        return seen;
      },
      (length) => length === 600_000,
      'all output',
    );
    expect(seenBeforeEnd, 'all but what the FIFO has room for').toBeGreaterThan(500_000);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 3 });
    descriptor[Symbol.dispose]();
    await removeAll();
  });

  it('does not keep the agent from its end when its client has stalled', async () => {
    const [stdin = '', stdout = ''] = fifos('in', 'out');
    const screen = reader(stdout);
    const io = { kind: 'fifo', terminal: true, stdin, stdout } as const;
    await run(io, 'head -c 600000 /dev/zero | tr "\\0" x; touch /tmp/written; read go; exit 4');
    await eventually(
      () => existsSync(join(node.rootfs, 'tmp/written')),
      (written) => written,
      'the process has written more than the FIFO takes',
    );
    await tested[Symbol.asyncDispose]();
    tested = makeRuntime(node);
    await tested.recover();
    const keys = openSync(stdin, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(keys, 'go\n');
    closeSync(keys);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 4 });
    screen.close();
    await removeAll();
  });

  it('is not there without one', async () => {
    await run(toLog(), 'sleep 1000');
    await expect(tested.runtime.resize(ref('t'), { width: 1, height: 1 })).rejects.toThrow(FailedPreconditionError);
    await removeAll();
  });

  it('and a pipe, for execs as well, from the first byte on', async () => {
    await run({ kind: 'null', terminal: false }, 'sleep 1000');
    for (const [io, said] of [
      [{ kind: 'log', terminal: true, stdin: true } as const, 'first\r\n'],
      [{ kind: 'log', terminal: false, stdin: false } as const, 'first\n'],
    ] as const) {
      await tested.runtime.addExec(ref('t'), execRecord('e', sh('echo first; exit 6'), io));
      await tested.runtime.startExec(ref('t'), execId, {});
      await using attachment = await tested.runtime.attach(exec);
      expect((await readAll(attachment)).stdout).toBe(said);
      expect(await tested.exitOf(exec)).toMatchObject({ status: 6 });
      await tested.runtime.deleteExec(ref('t'), execId);
      tested.forget();
    }
    await expect(tested.runtime.attach(ref('t'))).rejects.toThrow(FailedPreconditionError);
    await removeAll();
  });
});

describe('FIFOs of a client', () => {
  it("are the process's own, and a new reader gets what comes after the first", async () => {
    const [stdin = '', stdout = '', stderr = ''] = fifos('in', 'out', 'err');
    const first = reader(stdout);
    const errors = reader(stderr);
    await run(
      { kind: 'fifo', terminal: false, stdin, stdout, stderr },
      'while read x; do echo "got $x"; echo "bad $x" >&2; done',
    );
    const keys = openSync(stdin, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(keys, 'one\n');
    await eventually(
      () => first.text(),
      (text) => text === 'got one\n',
      'the output',
    );
    await eventually(
      () => errors.text(),
      (text) => text === 'bad one\n',
      'the errors',
    );
    first.close();
    const second = reader(stdout);
    writeSync(keys, 'two\n');
    await eventually(
      () => second.text(),
      (text) => text === 'got two\n',
      'the output of the second',
    );
    closeSync(keys);
    // Nobody waits for it, so its stdin is kept open for the next client.
    const again = openSync(stdin, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(again, 'three\n');
    await eventually(
      () => second.text(),
      (text) => text.endsWith('got three\n'),
      'the third',
    );
    closeSync(again);
    await tested.runtime.closeStdin(ref('t'));
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 0 });
    second.close();
    errors.close();
    await removeAll();
  });

  it('end with the client that waits and lets go: echo hi | … cat', async () => {
    const [stdin = '', stdout = ''] = fifos('in', 'out');
    const screen = reader(stdout);
    await run({ kind: 'fifo', terminal: false, stdin, stdout }, 'cat');
    // Another process, as a client is.
    const client = spawn('/bin/sh', ['-c', `exec 3>'${stdin}'; read go; echo hi >&3`], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    tested.runtime.waited(ref('t'), true);
    client.stdin.write('go\n');
    await once(client, 'exit');
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 0 });
    expect(screen.text()).toBe('hi\n');
    screen.close();
    await removeAll();
  });

  it('go on without a client that never waited', async () => {
    const [stdin = '', stdout = ''] = fifos('in', 'out');
    const screen = reader(stdout);
    await run({ kind: 'fifo', terminal: false, stdin, stdout }, 'echo ready; cat; echo over');
    await eventually(
      () => screen.text(),
      (text) => text === 'ready\n',
      'it runs',
    );
    closeSync(openSync(stdin, constants.O_WRONLY | constants.O_NONBLOCK));
    tested.runtime.waited(ref('t'), false);
    await eventually(
      () => tested.runtime.pids(ref('t')),
      (pids) => pids.length === 2,
      'cat reads',
    );
    expect(screen.text()).toBe('ready\n');
    expect(tested.exits).toEqual([]);
    screen.close();
    await removeAll();
  });

  it('go on when the agent leaves, and a new one keeps the stdin open', async () => {
    const [stdin = '', stdout = ''] = fifos('in', 'out');
    const screen = reader(stdout);
    await run({ kind: 'fifo', terminal: false, stdin, stdout }, 'while read x; do echo "got $x"; done; exit 9');
    const keys = openSync(stdin, constants.O_WRONLY | constants.O_NONBLOCK);
    await tested[Symbol.asyncDispose]();
    tested = makeRuntime(node);
    await tested.recover();
    closeSync(keys);
    const more = openSync(stdin, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(more, 'one\n');
    await eventually(
      () => screen.text(),
      (text) => text === 'got one\n',
      'the output',
    );
    closeSync(more);
    await tested.runtime.closeStdin(ref('t'));
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 9 });
    screen.close();
    await removeAll();
  });

  it('that are not there or are none are refused by their path', async () => {
    const missing = join(node.folder, 'missing');
    await expect(run({ kind: 'fifo', terminal: false, stdout: missing }, 'x')).rejects.toThrow(
      `cannot open the FIFO ${missing}`,
    );
    await expect(run({ kind: 'fifo', terminal: false, stdout: node.folder }, 'x')).rejects.toThrow(
      'it is a folder, not a FIFO',
    );
    expect(node.leftovers()).toEqual([]);
  });
});
