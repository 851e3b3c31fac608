import { replies } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { Session } from '../session.ts';
import { imageJson } from './images-ls.ts';
import { ProgressLine } from './make-task.ts';

/** Pulls images, with progress on stderr, and prints their references. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { args, shell } = invocation;
  const pulled: object[] = [];
  for (const reference of args) {
    using progress = new ProgressLine(shell);
    for await (const { step } of replies(session.api.runlet.pullImage({ reference, baseDir: shell.cwd }))) {
      if (step?.$case === 'progress') progress.show(step.value);
      else if (step?.$case === 'image') pulled.push(imageJson(step.value));
    }
  }
  await session.print({ json: () => pulled, text: () => args.map((reference) => `${reference}\n`).join('') });
}
