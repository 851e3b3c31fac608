import { replies } from '#api/client.ts';
import type { DrainReply } from '#api/gen/runlet/v1/runlet.ts';
import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';
import { writeLine } from '../shell.ts';

/** Stops every task of the node, as before a shutdown; a line for each as it ends, and status 1 when one did not. */
export async function run(invocation: Invocation): Promise<number> {
  using session = new Session(invocation);
  const { flags, shell } = invocation;
  const graceMs = flags.durationMs('grace');
  const draining = session.api.runlet.drain(graceMs === undefined ? {} : { graceMs: Math.round(graceMs) });
  let failed = false;
  for await (const reply of replies(draining)) {
    failed ||= reply.outcome !== 'stopped';
    if (session.json) await writeLine(shell.stdout, JSON.stringify(drainJson(reply)));
    else
      await writeLine(
        shell.stdout,
        `${reply.namespace}/${reply.id} ${reply.outcome}${reply.message && `: ${reply.message}`}`,
      );
  }
  return failed ? 1 : 0;
}

function drainJson({ namespace, id, outcome, message }: DrainReply): object {
  return { namespace, id, outcome, ...(message ? { message } : {}) };
}
