import { unary } from '#api/client.ts';
import type { InfoReply } from '#api/gen/runlet/v1/runlet.ts';
import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';

/** Prints how the agent is; exit status 1 while it is not ready. */
export async function run(invocation: Invocation): Promise<number> {
  using session = new Session(invocation);
  const { runlet } = session.api;
  const reply = await unary(runlet.info.bind(runlet), {});
  await session.print({
    json: () => ({
      ...{ version: reply.version, node: reply.node, source: reply.source, ready: reply.notReady === '' },
      ...(reply.notReady === '' ? {} : { notReady: reply.notReady }),
      ...{ tasks: reply.tasks, running: reply.running, notes: reply.notes },
    }),
    text: () => lines(reply).join(''),
  });
  return reply.notReady === '' ? 0 : 1;
}

function lines({ version, node, source, notReady, tasks, running, notes }: InfoReply): readonly string[] {
  const rows = [
    ['agent', version],
    ['node', node],
    ['source', source || 'none: only tasks made by hand'],
    ['ready', notReady === '' ? 'yes' : `no: ${notReady}`],
    ['tasks', `${tasks}, ${running} running`],
    ...notes.map((note) => ['note', note]),
  ];
  return rows.map(([name = '', value = '']) => `${name.padEnd(8)}${value}\n`);
}
