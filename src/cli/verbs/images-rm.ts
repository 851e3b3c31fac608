import { unary } from '#api/client.ts';
import { errorMessage } from '#errors/errors.ts';
import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';
import { writeLine } from '../shell.ts';

/** Removes images that no task uses; one that is refused is said and the others follow. */
export async function run(invocation: Invocation): Promise<number> {
  using session = new Session(invocation);
  const { args, shell } = invocation;
  const { runlet } = session.api;
  const removed: string[] = [];
  for (const reference of args) {
    try {
      await unary(runlet.removeImage.bind(runlet), { reference });
      removed.push(reference);
    } catch (error) {
      await writeLine(shell.stderr, `error: ${errorMessage(error)}`);
    }
  }
  await session.print({ json: () => removed, text: () => removed.map((reference) => `${reference}\n`).join('') });
  return removed.length === args.length ? 0 : 1;
}
