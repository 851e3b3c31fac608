import { InvalidArgumentError } from '#errors/errors.ts';
import type { Invocation } from '../command.ts';
import { completionScript, shells } from '../completion.ts';
import { write } from '../shell.ts';
import { commands } from '../table/table.ts';

/** Prints the completion script of a shell. */
export async function run({ args: [name], shell }: Invocation): Promise<void> {
  const known = shells.find((each) => each === name);
  if (!known) throw new InvalidArgumentError(`there is a completion for ${shells.join(', ')}, not for ${name}`);
  await write(shell.stdout, completionScript(known, commands));
}
