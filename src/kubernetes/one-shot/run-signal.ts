import { RunletError, errorMessage } from '#errors/errors.ts';
import { parseSignal, signalName } from '#oci/signal.ts';
import type { Task } from '#task/task.ts';
import { failed, succeeded, type Outcome } from './record.ts';
import type { SignalSpec } from './request.ts';

/** Sends the signal of a NodeTaskSignal. A frozen task gets it at its thaw; a KILL thaws. */
export async function runSignal(task: Task, { signal, scope }: SignalSpec): Promise<Outcome> {
  const number = parseSignal(signal);
  try {
    const delivered = scope === 'All' ? (await task.pids()).length : 1;
    await task.kill(number, { all: scope === 'All' });
    const whom = scope === 'All' ? `${delivered} processes` : 'the first process';
    const when = task.status === 'paused' && number !== 9 ? '; they get it when it is resumed' : '';
    return succeeded(`SIG${signalName(number).replace(/^SIG/, '')} was sent to ${whom}${when}`, { delivered });
  } catch (error) {
    const over = error instanceof RunletError && (error.code === 'not-found' || error.code === 'failed-precondition');
    return failed(over ? 'TaskNotRunning' : 'SignalFailed', `the signal was not sent: ${errorMessage(error)}`);
  }
}
