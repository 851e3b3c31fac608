import { parseSignal } from '#oci/signal.ts';
import type { Shell } from '../shell.ts';

/** Bash's number for a program that a signal ended: this and the signal's. */
export const signalled = 128;

/** Signals to the client that mean the process. */
const forwarded: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'];

/** So many times INT or TERM, and the client goes although the process did not. */
const patience = 3;

/** Hands signals on to a process until disposed of; who insists gets away without it. */
export function forwardSignals(
  shell: Shell,
  to: { readonly signal: (number: number) => void; readonly leave: (number: number) => void },
): Disposable {
  let asked = 0;
  const stack = new DisposableStack();
  for (const name of forwarded) {
    const number = parseSignal(name);
    stack.use(
      shell.onSignal(name, () => {
        if (name === 'SIGINT' || name === 'SIGTERM') asked += 1;
        if (asked > patience) to.leave(number);
        else to.signal(number);
      }),
    );
  }
  // The terminal has gone: the process is not meant.
  stack.use(shell.onSignal('SIGHUP', () => to.leave(parseSignal('HUP'))));
  return stack;
}
