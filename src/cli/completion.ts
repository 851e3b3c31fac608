import { globalFlags, type ArgumentKind, type Command, type Flag } from './command.ts';
import { flagNames, namesOf } from './flag-names.ts';

/** Shells that completions are made for. */
export const shells = ['bash', 'zsh', 'fish'] as const;

export type ShellName = (typeof shells)[number];

/** What the program prints the possible words of an argument with. */
const sources: Partial<Record<ArgumentKind, string>> = {
  task: 'ps -q',
  image: 'images ls -q',
};

/** A script that completes the commands of the table, for `source <(runlet completion bash)` and the like. */
export function completionScript(shell: ShellName, commands: readonly Command[]): string {
  switch (shell) {
    case 'bash':
      return bash(commands);
    case 'zsh':
      return `#compdef runlet\nautoload -Uz bashcompinit && bashcompinit\n${bash(commands)}`;
    case 'fish':
      return fish(commands);
  }
}

function bash(commands: readonly Command[]): string {
  const flags = [...globalFlags, ...commands.flatMap((command) => command.flags)];
  const withValue = new Set(flags.filter((flag) => flagNames(flag).takesValue).flatMap(namesOf));
  const groups = new Set(commands.flatMap(({ name }) => (name.includes(' ') ? [name.split(' ')[0] ?? ''] : [])));
  return `# Completion of runlet for bash; made of its command table by \`runlet completion bash\`.
_runlet_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }
_runlet() {
  local cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} runlet=\${COMP_WORDS[0]}
  local command='' word='' skip='' positional=0 i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $skip ]]; then skip=''; continue; fi
    case $word in
      ${[...withValue].join('|')}) skip=1 ;;
      -*) ;;
      *)
        case $command in
          '') command=$word ;;
          ${[...groups].join('|')}) command="$command $word" ;;
          *) positional=$((positional + 1)) ;;
        esac
        ;;
    esac
  done
  case $previous in
    -n|--namespace) _runlet_words "$("$runlet" namespaces -q 2>/dev/null)"; return ;;
${choiceLines(flags)}
  esac
  case $command in
    '') _runlet_words '${topWords(commands).join(' ')} ${flagWords(globalFlags)}' ;;
${[...groups].map((group) => `    ${group}) _runlet_words '${groupWords(commands, group).join(' ')}' ;;`).join('\n')}
${commands.map(bashCase).join('\n')}
  esac
}
complete -o default -F _runlet runlet
`;
}

function topWords(commands: readonly Command[]): readonly string[] {
  return ['agent', 'help', ...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];
}

function groupWords(commands: readonly Command[], group: string): readonly string[] {
  return commands.filter(({ name }) => name.startsWith(`${group} `)).map(({ name }) => name.slice(group.length + 1));
}

function flagWords(flags: readonly Flag[]): string {
  return flags.flatMap(namesOf).join(' ');
}

function choiceLines(flags: readonly Flag[]): string {
  const rows = flags.flatMap((flag) =>
    flag.choices ? [`    ${namesOf(flag).join('|')}) _runlet_words '${flag.choices.join(' ')}'; return ;;`] : [],
  );
  return [...new Set(rows)].join('\n');
}

/** Flags where one begins with a hyphen; else what the argument names, once where it is only one. */
function bashCase({ name, args, flags }: Command): string {
  const words = `${flagWords(flags)} ${flagWords(globalFlags)} --help`;
  const [argument] = args;
  const source = argument && sources[argument.kind];
  const many = argument?.usage.includes('...') && argument.kind !== 'image';
  const offer =
    source === undefined
      ? ''
      : ` ${many ? '' : '[[ $positional -eq 0 ]] && '}_runlet_words "$("$runlet" ${source} 2>/dev/null)"`;
  return `    '${name}') if [[ $cur == -* ]]; then _runlet_words '${words}'; else${offer || ' :'}; fi ;;`;
}

function fish(commands: readonly Command[]): string {
  const lines = ['# Completion of runlet for fish; made of its command table by `runlet completion fish`.'];
  for (const flag of globalFlags) lines.push(`complete -c runlet${fishFlag(flag)}`);
  for (const { name, summary, flags, args } of commands) {
    const [first = '', second] = name.split(' ');
    const offered = second === undefined ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${first}`;
    if (second !== undefined) lines.push(`complete -c runlet -f -n __fish_use_subcommand -a ${first}`);
    lines.push(`complete -c runlet -f -n '${offered}' -a ${second ?? first} -d ${quoted(summary)}`);
    const seen = `-n '__fish_seen_subcommand_from ${second ?? first}'`;
    for (const flag of flags) lines.push(`complete -c runlet ${seen}${fishFlag(flag)}`);
    const source = args[0] && sources[args[0].kind];
    if (source !== undefined) lines.push(`complete -c runlet -f ${seen} -a '(runlet ${source} 2>/dev/null)'`);
  }
  return `${[...new Set(lines)].join('\n')}\n`;
}

function fishFlag(flag: Flag): string {
  const { short, long, takesValue } = flagNames(flag);
  const choices = flag.choices ? ` -x -a '${flag.choices.join(' ')}'` : takesValue ? ' -r' : '';
  return `${short ? ` -s ${short.slice(1)}` : ''} -l ${long.slice(2)}${choices} -d ${quoted(flag.summary)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
