import { once } from 'node:events';
import { FailedPreconditionError } from '#errors/errors.ts';
import { minimalEnvironment } from './command.ts';
import { exitOf, spawnProgram } from './spawn.ts';

/** How long a lock may take to be let go of: a killed holder's is, once the kernel has closed its files. */
const patienceSeconds = 2;

/**
 * Holds an exclusive lock on a file until it is disposed of or this process ends in whatever way. Node has no flock(2), so
 * a child `flock FILE cat` holds it, and ends when our end of its stdin closes. Throws FailedPreconditionError when
 * somebody else holds it.
 */
export async function lockFile(path: string): Promise<AsyncDisposable> {
  const child = await spawnProgram(
    'flock',
    ['--timeout', String(patienceSeconds), '--conflict-exit-code', '75', path, 'cat'],
    {
      env: minimalEnvironment(),
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('flock was started without pipes');
  stdin.on('error', () => {}); // it has ended; the exit code says why
  // The echo of one byte proves that flock has the lock and has started cat.
  stdin.write('\n');
  const answer = await Promise.race([once(stdout, 'data').then(() => 'held' as const), exitOf(child)]);
  if (answer !== 'held') {
    const why = answer === 75 ? 'another agent holds it' : `flock ended with ${answer ?? 'a signal'}`;
    throw new FailedPreconditionError(`cannot lock ${path}: ${why}`);
  }
  child.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      stdin.end();
      // Whoever leaves waits for it, with nothing else to stay for.
      child.ref();
      await exitOf(child);
    },
  };
}
