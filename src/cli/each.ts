import { errorMessage } from '#errors/errors.ts';
import type { Invocation } from './command.ts';
import { Session, type Ref } from './session.ts';
import { write, writeLine } from './shell.ts';

/**
 * Does the same to each task that is named, in order, and prints its id, or with `-o json` what `act` returns. One that fails
 * is said on stderr and the others follow; then the status is 1.
 */
export async function forEachTask(
  invocation: Invocation,
  act: (session: Session, ref: Ref) => Promise<object | void>,
): Promise<number> {
  using session = new Session(invocation);
  const { args, shell } = invocation;
  const results: object[] = [];
  let status = 0;
  for (const name of args) {
    try {
      const ref = await session.find(name);
      const result = await act(session, ref);
      if (session.json) results.push({ ...ref, ...result });
      else await writeLine(shell.stdout, ref.id);
    } catch (error) {
      status = 1;
      await writeLine(shell.stderr, `error: ${errorMessage(error)}`);
    }
  }
  if (session.json) await write(shell.stdout, `${JSON.stringify(results, undefined, 2)}\n`);
  return status;
}
