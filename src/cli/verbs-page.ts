import { globalFlags, type Command, type Flag } from './command.ts';

/** `docs/verbs.md`, made of the command table: how each thing is done with runlet, ctr and kubectl, then each command's flags. */
export function verbsPage(commands: readonly Command[]): string {
  const rows = commands.map(({ name, args, summary, same }) => {
    const usage = ['runlet', name, ...args.map((arg) => arg.usage)].join(' ');
    return `| ${cell(summary)} | \`${usage}\` | ${cell(same.ctr)} | ${cell(same.kubectl)} |`;
  });
  return `${head}\n${rows.join('\n')}\n${middle}\n${flagTable(globalFlags)}\n${commands.map(section).join('\n')}`;
}

function section({ name, args, summary, flags, examples }: Command): string {
  const usage = ['runlet', name, ...(flags.length > 0 ? ['[flags]'] : []), ...args.map((arg) => arg.usage)].join(' ');
  const lines = examples.map(([line, does]) => `${line.padEnd(60)}  # ${does}`);
  return [
    `## runlet ${name}`,
    '',
    `${summary[0]?.toUpperCase()}${summary.slice(1)}: \`${usage}\``,
    '',
    ...(flags.length > 0 ? [flagTable(flags)] : []),
    '```sh',
    ...lines,
    '```',
    '',
  ].join('\n');
}

function flagTable(flags: readonly Flag[]): string {
  const rows = flags.map((flag) => `| \`${flag.flags}\` | ${cell(meaning(flag))} |`);
  return `| flag | meaning |\n| --- | --- |\n${rows.join('\n')}\n`;
}

function meaning({ summary, repeatable, choices }: Flag): string {
  const facts = [...(repeatable ? ['repeatable'] : []), ...(choices ? [`one of ${choices.join(', ')}`] : [])];
  return facts.length > 0 ? `${summary} (${facts.join('; ')})` : summary;
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}

const head = `# Every verb, three ways

<!-- Made by scripts/write-docs.ts of src/cli/table/: change it there. -->

\`runlet\` and \`ctr --address /run/runlet/runlet.sock\` talk to the agent of a node; \`kubectl\` changes a NodeTask, and the agent
of its node follows. \`kubectl runlet\` is the plugin \`kubectl-runlet\`: [kubectl runlet](kubectl-plugin.md).

| to … | runlet | ctr | kubectl |
| --- | --- | --- | --- |`;

const middle = `
A task that belongs to a NodeTask (namespaces \`k8s.*\`) is changed by its object. \`runlet\` refuses to change it, says which
kubectl command or file does it, and takes \`--force\` for doing it all the same; the agent undoes what the object does not say.

## Flags of every command

They stand before or after the command's name. A command that names one task finds it in any namespace, as long as only one has
a task of that name; \`NAMESPACE/ID\` names it in full. The exit status of \`run\`, \`exec\`, \`attach\` and \`wait\` is the process's
own, 255 when nobody saw its end; 127 and 126 when there is no such command or it cannot be run; 1 for whatever else fails.

The shell completes commands, flags, tasks and images after \`source <(runlet completion bash)\`; zsh and fish have theirs.
`;
