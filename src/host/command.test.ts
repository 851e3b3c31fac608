import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { CancelledError, CommandFailedError, NotFoundError } from '#errors/errors.ts';
import { runCommand } from './command.ts';
import { readProcessStat } from './process.ts';

const sh = (script: string, options: Parameters<typeof runCommand>[2] = {}) =>
  runCommand('/bin/sh', ['-c', script], options);

async function failureOf(work: Promise<unknown>): Promise<CommandFailedError> {
  const failure = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(CommandFailedError);
  return failure as CommandFailedError;
}

async function waitUntilGone(pid: number): Promise<void> {
  for (const end = performance.now() + 30_000; performance.now() < end;) {
    const state = readProcessStat(pid)?.state;
    if (state === undefined || state === 'Z') return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`process ${pid} still runs`);
}

describe('runCommand', () => {
  it('returns what the program wrote', async () => {
    expect(await sh('echo out; echo err >&2')).toEqual({ stdout: 'out\n', stderr: 'err\n' });
  });

  it('hands on input, folder and environment, and of its own environment only PATH', async () => {
    const { stdout } = await sh('cat; pwd; echo $A; env', { input: 'in\n', cwd: '/', env: { A: 'b' } });
    expect(stdout.split('\n').slice(0, 3)).toEqual(['in', '/', 'b']);
    const bare = await runCommand('env', []);
    expect(bare.stdout.trim().split('\n')).toEqual([expect.stringMatching(/^PATH=/)]);
  });

  it('does not mind a program that leaves its input', async () => {
    expect((await sh('exec 0<&-; echo done', { input: 'x'.repeat(1_000_000) })).stdout).toBe('done\n');
  });

  it('tells of a failure with its argv, code and the end of what it said', async () => {
    const failure = await failureOf(sh('yes error | head -c 100000 >&2; echo the end >&2; exit 3'));
    expect(failure).toMatchObject({ argv: ['/bin/sh', '-c', expect.any(String)], exitCode: 3 });
    expect(failure.stderr.length).toBe(4096);
    expect(failure.stderr).toMatch(/the end\n$/);
  });

  it('keeps the end of a standard error of any length', async () => {
    const { stderr } = await sh('head -c 40000000 /dev/zero >&2; echo the end >&2');
    expect(stderr.length).toBe(64 * 1024);
    expect(stderr).toMatch(/the end\n$/);
  });

  it('names the signal that ended a program', async () => {
    expect(await failureOf(sh('kill -TERM $$'))).toMatchObject({ signal: 'SIGTERM', exitCode: undefined });
  });

  it('says that there is no such program', async () => {
    await expect(runCommand('no-such-program', [])).rejects.toThrow(
      new NotFoundError('cannot run no-such-program: no such program on PATH'),
    );
  });

  it('tells every line of standard error as it comes, also the last without an end', async () => {
    const lines: string[] = [];
    await sh('printf "one\\ntwo\\nthr" >&2; printf ee >&2', { onStderrLine: (line) => lines.push(line) });
    expect(lines).toEqual(['one', 'two', 'three']);
  });

  it('ends a program that writes too much', async () => {
    const failure = await failureOf(sh('cat /dev/zero'));
    expect(failure.signal).toBe('SIGKILL (too much output)');
  });

  it('ends what is out of time with all that it started', async () => {
    let child = 0;
    const failure = await failureOf(
      sh('sleep 1000 & echo $! >&2; wait', { timeoutMs: 300, onStderrLine: (line) => (child = Number(line)) }),
    );
    expect(failure.signal).toBe('SIGKILL (out of time)');
    expect(child).toBeGreaterThan(0);
    await waitUntilGone(child);
  });

  it('ends a program whose caller gives up, and lets go of the signal', async () => {
    const caller = new AbortController();
    const onStderrLine = () => caller.abort();
    await expect(sh('echo go >&2; sleep 1000', { signal: caller.signal, onStderrLine })).rejects.toThrow(
      CancelledError,
    );
    await expect(sh('true', { signal: caller.signal })).rejects.toThrow(CancelledError);
    const other = new AbortController();
    await sh('true', { signal: other.signal });
    expect(getEventListeners(other.signal, 'abort')).toEqual([]);
  });
});
