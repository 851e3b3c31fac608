import { unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';
import { write } from '../shell.ts';

/** Prints everything that is known of the tasks: JSON, one document, an array for several. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const documents: unknown[] = [];
  for (const name of invocation.args) {
    const ref = await session.find(name);
    const { json } = await unary(session.api.runlet.inspect.bind(session.api.runlet), ref);
    documents.push(JSON.parse(json));
  }
  const [only] = documents;
  await write(invocation.shell.stdout, `${JSON.stringify(documents.length === 1 ? only : documents, undefined, 2)}\n`);
}
