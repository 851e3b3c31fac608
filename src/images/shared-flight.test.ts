import { describe, expect, it, vi } from 'vitest';
import { SharedFlight } from './shared-flight.ts';

/** Work that ends when the test says so. */
function flight() {
  const shared = new SharedFlight<string, number>();
  const started: { signal: AbortSignal; report: (progress: number) => void; end: (value: string) => void }[] = [];
  const work = vi.fn<(signal: AbortSignal, report: (progress: number) => void) => Promise<string>>(
    async (signal, report) =>
      await new Promise<string>((resolve, reject) => {
        started.push({ signal, report, end: resolve });
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  );
  return { shared, started, work };
}

describe('calls that overlap', () => {
  it('share one run and its outcome', async () => {
    const { shared, started, work } = flight();
    const calls = [shared.run('a', work), shared.run('a', work), shared.run('b', work)];
    await vi.waitFor(() => expect(started).toHaveLength(2));
    for (const [at, { end }] of started.entries()) end(`end ${at}`);
    expect(await Promise.all(calls)).toEqual(['end 0', 'end 0', 'end 1']);
    const next = shared.run('a', work);
    await vi.waitFor(() => expect(started).toHaveLength(3));
    started[2]?.end('new');
    expect(await next).toBe('new');
  });

  it('share its progress; who comes later is told the latest', async () => {
    const { shared, started, work } = flight();
    const told: string[] = [];
    const first = shared.run('a', work, { onProgress: (progress) => told.push(`first ${progress}`) });
    await vi.waitFor(() => expect(started).toHaveLength(1));
    started[0]?.report(1);
    const second = shared.run('a', work, { onProgress: (progress) => told.push(`second ${progress}`) });
    started[0]?.report(2);
    started[0]?.end('x');
    await Promise.all([first, second]);
    expect(told).toEqual(['first 1', 'second 1', 'first 2', 'second 2']);
  });

  it('go on while one is left, and are cancelled when the last one has gone', async () => {
    const { shared, started, work } = flight();
    const [one, two] = [new AbortController(), new AbortController()];
    const first = shared.run('a', work, { signal: one.signal });
    const second = shared.run('a', work, { signal: two.signal });
    await vi.waitFor(() => expect(started).toHaveLength(1));
    one.abort(new Error('one has gone'));
    await expect(first).rejects.toThrow('one has gone');
    expect(started[0]?.signal.aborted).toBe(false);
    two.abort(new Error('two has gone'));
    await expect(second).rejects.toThrow('two has gone');
    expect(started[0]?.signal.aborted).toBe(true);
    const third = shared.run('a', work);
    await vi.waitFor(() => expect(started).toHaveLength(2));
    started[1]?.end('afresh');
    expect(await third).toBe('afresh');
  });

  it('are cancelled by a close, which waits for them', async () => {
    const { shared, started, work } = flight();
    const call = shared.run('a', work).catch((error: unknown) => error);
    await vi.waitFor(() => expect(started).toHaveLength(1));
    await shared.close();
    expect(await call).toMatchObject({ code: 'cancelled' });
  });

  it('do not begin for who has given up already', async () => {
    const { shared, work } = flight();
    await expect(shared.run('a', work, { signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone');
    expect(work).not.toHaveBeenCalled();
  });
});
