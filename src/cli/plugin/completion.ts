import { InvalidArgumentError } from '#errors/errors.ts';
import { signalNames } from '#oci/signal.ts';
import type { Flag } from '../command.ts';
import { flagNames, namesOf } from '../flag-names.ts';
import { Flags } from '../flags.ts';
import type { Shell } from '../shell.ts';
import { Kubectl, kubectlFlags } from './kubectl.ts';
import { resource } from './node-task.ts';

/** What completion needs to know of a verb. */
export interface CompletedVerb {
  readonly name: string;
  readonly flags: readonly Flag[];
}

/** What completions are made for: two shells, and kubectl itself, which asks a program `kubectl_complete-runlet`. */
export const completionTargets = ['bash', 'zsh', 'kubectl'] as const;

/** The verb that the scripts ask, with the words after `kubectl runlet`; the last one is what is being typed. */
export const askVerb = '__complete';

/** A script to source, or to install as `kubectl_complete-runlet`. Throws InvalidArgumentError for another target. */
export function completionScript(target: string): string {
  switch (target) {
    case 'bash':
      return bash;
    case 'zsh':
      return `#compdef kubectl-runlet\nautoload -Uz bashcompinit && bashcompinit\n${bash}`;
    case 'kubectl':
      return `#!/bin/sh\n# kubectl asks this for what may follow \`kubectl runlet\`.\nexec kubectl-runlet ${askVerb} "$@"\n`;
    default:
      throw new InvalidArgumentError(`there is a completion for ${completionTargets.join(', ')}, not for ${target}`);
  }
}

/** kubectl's own completion, where there is one, goes on for everything but our verbs. */
const bash = `# Completion of kubectl runlet for bash.
_kubectl_runlet_words() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    [[ $line == :* ]] || COMPREPLY+=("$line")
  done < <(kubectl-runlet ${askVerb} "$@" 2>/dev/null)
}
_kubectl_runlet() {
  _kubectl_runlet_words "\${COMP_WORDS[@]:1:COMP_CWORD}"
}
_kubectl_with_runlet() {
  if [[ \${COMP_WORDS[1]} == runlet && $COMP_CWORD -ge 2 ]]; then
    _kubectl_runlet_words "\${COMP_WORDS[@]:2:COMP_CWORD-1}"
  elif [[ -n $_kubectl_without_runlet ]]; then
    "$_kubectl_without_runlet" "$@"
  fi
}
_kubectl_runlet_before=$(complete -p kubectl 2>/dev/null)
if [[ $_kubectl_runlet_before =~ -F\\ ([^\\ ]+) && \${BASH_REMATCH[1]} != _kubectl_with_runlet ]]; then
  _kubectl_without_runlet=\${BASH_REMATCH[1]}
fi
unset _kubectl_runlet_before
complete -o default -F _kubectl_runlet kubectl-runlet
complete -o default -F _kubectl_with_runlet kubectl
`;

/** What may stand in place of the last word, and whether the shell may offer files where nothing does. */
export interface Offer {
  readonly words: readonly string[];
  readonly files: boolean;
}

/** Finds it. Words that only the cluster knows are asked of kubectl; while it does not answer there are none. */
export async function offer(words: readonly string[], verbs: readonly CompletedVerb[], shell: Shell): Promise<Offer> {
  const line = readLine(words, verbs);
  const found = await candidates(line, verbs, shell);
  const { current } = line;
  return { ...found, words: found.words.filter((word) => word.startsWith(current)) };
}

/** In the form of cobra's programs, which kubectl reads: a word a line, then a colon and what the shell may do: 4 is no files. */
export function printed({ words, files }: Offer): string {
  return [...words, files ? ':0' : ':4', ''].join('\n');
}

/** The words before the one that is being typed, taken apart. */
interface Line {
  readonly current: string;
  readonly verb: CompletedVerb | undefined;
  /** Verbs and names. */
  readonly positional: readonly string[];
  /** The flag whose value is being typed. */
  readonly valueOf: Flag | undefined;
  readonly given: Readonly<Record<string, unknown>>;
  /** After `--` come words that are somebody else's. */
  readonly foreign: boolean;
}

function readLine(words: readonly string[], verbs: readonly CompletedVerb[]): Line {
  const given: Record<string, unknown> = {};
  const positional: string[] = [];
  const before = words.slice(0, -1);
  let valueOf: Flag | undefined;
  for (const word of before) {
    const verb = verbs.find(({ name }) => name === positional[0]);
    if (valueOf) {
      given[camelCase(valueOf)] = word;
      valueOf = undefined;
    } else if (word.startsWith('-')) {
      const [name = '', value] = word.split('=', 2);
      const flag = [...(verb?.flags ?? []), ...kubectlFlags].find((each) => namesOf(each).includes(name));
      if (flag && value !== undefined) given[camelCase(flag)] = value;
      else if (flag && flagNames(flag).takesValue) valueOf = flag;
    } else positional.push(word);
  }
  const verb = verbs.find(({ name }) => name === positional[0]);
  return { current: words.at(-1) ?? '', verb, positional, valueOf, given, foreign: before.includes('--') };
}

async function candidates(line: Line, verbs: readonly CompletedVerb[], shell: Shell): Promise<Offer> {
  const { verb, positional, valueOf, current, foreign } = line;
  if (foreign) return { words: [], files: true };
  if (valueOf) return await valuesOf(valueOf, line, shell);
  if (positional.length === 0) return only([...verbs.map(({ name }) => name), 'completion', 'help']);
  if (positional[0] === 'completion') return only(positional.length === 1 ? completionTargets : []);
  if (current.startsWith('-')) return only([...(verb?.flags ?? []), ...kubectlFlags].flatMap(namesOf));
  if (!verb || positional.length > 1) return only([]);
  return only(await named(['get', resource], line, shell));
}

function only(words: readonly string[]): Offer {
  return { words, files: false };
}

async function valuesOf(flag: Flag, line: Line, shell: Shell): Promise<Offer> {
  switch (flagNames(flag).long) {
    case '--namespace':
    case '--agent-namespace':
      return only(await named(['get', 'namespaces'], line, shell));
    case '--context':
      return only(await named(['config', 'get-contexts'], line, shell));
    case '--signal':
      return only(signalNames);
    case '--kubeconfig':
    case '--certificate-authority':
      return { words: [], files: true };
    default:
      return only([]);
  }
}

/** The names of objects, as kubectl prints them with `-o name`, without what stands before the slash. */
async function named(args: readonly string[], { given }: Line, shell: Shell): Promise<readonly string[]> {
  try {
    const text = await new Kubectl(shell, new Flags(given)).text([...args, '-o', 'name']);
    return text.split('\n').flatMap((line) => (line === '' ? [] : [line.slice(line.lastIndexOf('/') + 1)]));
  } catch {
    return []; // nothing to offer is better than an error on somebody's prompt
  }
}

function camelCase(flag: Flag): string {
  return flagNames(flag)
    .long.slice(2)
    .replaceAll(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
