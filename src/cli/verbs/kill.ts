import { inNamespace, unary } from '#api/client.ts';
import { parseSignal, signalName } from '#oci/signal.ts';
import type { Invocation } from '../command.ts';
import { forEachTask } from '../each.ts';
import { refuseOwned } from '../owned.ts';

/** Sends a signal to the first process of tasks, to all of their processes, or to an exec. */
export async function run(invocation: Invocation): Promise<number> {
  const { flags } = invocation;
  const signal = parseSignal(flags.text('signal') ?? 'TERM');
  const all = flags.is('all');
  const more = ` -s ${signalName(signal)}${all ? ' --all' : ''}`;
  return await forEachTask(invocation, async (session, ref) => {
    await refuseOwned(session, ref, flags, { verb: 'kill', more });
    const { tasks } = session.api;
    const request = { containerId: ref.id, execId: flags.text('exec') ?? '', signal, all };
    await unary(tasks.kill.bind(tasks), request, { metadata: inNamespace(ref.namespace) });
  });
}
