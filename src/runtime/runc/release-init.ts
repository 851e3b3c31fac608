import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { UnavailableError, isErrno } from '#errors/errors.ts';
import { openDescriptor, readNonblocking } from '#host/descriptors.ts';
import { removeFileSync } from '#host/files.ts';
import { isAlive } from '#host/process.ts';
import type { ProcessIdentity } from '#task/runtime.ts';

/** How often to read without letting anybody else have a turn: some hundred microseconds in all. */
const readsAtOnce = 50;

/** Every so many looks the init is looked after, which costs more than a reading. */
const aliveEvery = 16;

/** How often to look before giving way for a millisecond: the byte comes within microseconds of the opening. */
const quickLooks = 200;
const patienceMs = 10_000;

/**
 * Does what `runc start` does: reads the one byte that the waiting init writes as soon as its FIFO is opened, then removes
 * the FIFO. Opened without blocking it answers end-of-file or EAGAIN a few times first. Returns false where there is no
 * FIFO. Throws UnavailableError when the init has ended instead.
 */
export async function releaseInit(fifo: string, init: ProcessIdentity): Promise<boolean> {
  try {
    using descriptor = openDescriptor(fifo, 'read-nonblocking');
    const until = performance.now() + patienceMs;
    for (let look = 1; ; look += 1) {
      // Asked before the reading: a short-lived task may have written its byte and ended in between.
      const alive = look % aliveEvery !== 0 || isAlive(init);
      if (readNonblocking(descriptor, 1)?.length) break;
      if (!alive) throw new UnavailableError('the waiting init has ended before it was started');
      if (performance.now() > until) throw new UnavailableError(`the waiting init did not answer in ${patienceMs} ms`);
      if (look > readsAtOnce) await (look < quickLooks ? nextTurn() : delay(1));
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
  removeFileSync(fifo);
  return true;
}
