import { inNamespace, unary } from '#api/client.ts';
import { errorMessage } from '#errors/errors.ts';
import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';
import { writeLine } from '../shell.ts';

/** How long an agent may take to say its version. */
const patienceMs = 5000;

/** Prints the versions of this program and of the agent; an agent that does not answer is said on stderr and exit status 1. */
export async function run(invocation: Invocation): Promise<number> {
  using session = new Session(invocation);
  const { shell } = invocation;
  const { version } = session.api;
  const options = { metadata: inNamespace(session.namespaceOrDefault), timeoutMs: patienceMs };
  let agent: string | undefined;
  try {
    agent = (await unary(version.version.bind(version), {}, options)).version;
  } catch (error) {
    await writeLine(shell.stderr, `error: ${errorMessage(error)}`);
  }
  await session.print({
    json: () => ({ client: shell.version, ...(agent === undefined ? {} : { agent }) }),
    text: () => `client  ${shell.version}\n${agent === undefined ? '' : `agent   ${agent}\n`}`,
  });
  return agent === undefined ? 1 : 0;
}
