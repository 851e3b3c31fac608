import type { Clock } from '#async/clock.ts';
import type { TerminalBridge } from './terminal-bridge.ts';

/** How long the client may take nothing of what waits for it. */
const patienceMs = 1000;

/** How long nothing may wait for the client while the terminal has not ended: a child of the process may hold it open. */
const quietMs = 100;

const lookMs = 20;

/**
 * Calls once when a client's terminal has got everything that a process wrote, or the client takes nothing of it for a
 * second. The returned function takes it back.
 */
export function afterLastOutput(
  bridge: Pick<TerminalBridge, 'ended' | 'waitingBytes'>,
  clock: Clock,
  call: () => void,
): () => void {
  let over = false;
  let stop: (() => void) | undefined;
  let waiting = bridge.waitingBytes;
  let since = clock.monotonicMs();
  const finish = (last?: () => void) => {
    if (over) return;
    over = true;
    stop?.();
    last?.();
  };
  const look = () => {
    if (bridge.waitingBytes !== waiting) {
      waiting = bridge.waitingBytes;
      since = clock.monotonicMs();
    }
    if (clock.monotonicMs() - since >= (waiting > 0 ? patienceMs : quietMs)) finish(call);
    else stop = clock.after(lookMs, look);
  };
  look();
  void bridge.ended.then(() => finish(call));
  return () => finish();
}
