import { once } from 'node:events';
import { FailedPreconditionError } from '#errors/errors.ts';
import { endGroup, type ChildProcess } from '#host/spawn.ts';

/** A way to a port of a pod. */
export interface PortForward extends Disposable {
  /** Of this machine's loopback. */
  readonly port: number;
  /** What kubectl has complained of. */
  complaints(): string;
}

/** Waits until `kubectl port-forward` says where it listens. Throws FailedPreconditionError with what it said when it ends before. */
export async function forwarded(child: ChildProcess): Promise<PortForward> {
  let said = '';
  let complaints = '';
  const gone = once(child, 'close').then(() => 'gone' as const);
  const port = Promise.withResolvers<number>();
  child.stdout?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-longestNote);
    const [, found] = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(said) ?? [];
    if (found !== undefined) port.resolve(Number(found));
  });
  child.stderr?.on('data', (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-longestNote)));
  const first = await Promise.race([port.promise, gone]);
  if (first === 'gone') throw new FailedPreconditionError(complaints.trim() || 'kubectl port-forward has ended');
  return { port: first, complaints: () => complaints.trim(), [Symbol.dispose]: () => endGroup(child) };
}

/** What of a program's words is kept. */
const longestNote = 4096;
