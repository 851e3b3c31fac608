import { openSync } from 'node:fs';
import { constants } from 'node:fs';
import { Socket } from 'node:net';

/**
 * A FIFO as a stream that no worker thread waits on. Both its ends are open here, so that it neither ends nor breaks when
 * the one on the other side leaves, and the next one can come.
 */
export function openFifoStream(path: string, direction: 'read' | 'write'): Socket {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  return new Socket({ fd, readable: direction === 'read', writable: direction === 'write' });
}
