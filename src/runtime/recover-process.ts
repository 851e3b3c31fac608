import { existsSync, readTextSync } from '#host/files.ts';
import { identifyOrEnded, isAlive } from '#host/process.ts';
import { parseSync } from './conmon/sync.ts';
import type { RuntimeContext } from './context.ts';
import type { MonitoredProcess } from './monitored-process.ts';
import type { Running } from './running.ts';

/** How long a create or exec that was under way may take to come to its end. */
const patienceMs = 60_000;
const lookMs = 10;

/**
 * Finds out who a process and its monitor are, waiting for a create that is still under way. `never-made`: nothing was
 * begun; `failed`: the runtime or its monitor gave up.
 */
export async function recoverProcess(
  context: RuntimeContext,
  process: MonitoredProcess,
  monitors: readonly Running[],
): Promise<'made' | 'failed' | 'never-made'> {
  const { folder } = process;
  const noted = folder.readIdentity('monitor');
  const running = monitors.find((monitor) => monitor.folder === folder.path)?.identity;
  const monitor = noted ?? running;
  if (monitor) process.monitor = monitor;
  const identity = folder.readIdentity('process');
  if (identity) {
    process.identity = identity;
    return 'made';
  }
  if (!existsSync(folder.sync)) return 'never-made';
  const pid = await answeredPid(context, process);
  if (pid === undefined) return 'failed';
  process.identity = identifyOrEnded(pid);
  folder.writeIdentity('process', process.identity);
  if (running) folder.writeIdentity('monitor', running);
  return 'made';
}

/** The pid that conmon wrote or is about to write; undefined when it failed or is gone. */
async function answeredPid(context: RuntimeContext, process: MonitoredProcess): Promise<number | undefined> {
  const end = context.clock.monotonicMs() + patienceMs;
  for (;;) {
    const working = process.monitor !== undefined && isAlive(process.monitor) && context.clock.monotonicMs() < end;
    const [message] = parseSync(readTextSync(process.folder.sync) ?? '');
    if (message) return message.data > 0 ? message.data : undefined;
    if (!working) return undefined;
    await context.clock.sleep(lookMs);
  }
}
