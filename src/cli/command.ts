import type { Flags } from './flags.ts';
import type { Shell } from './shell.ts';

/** A flag as help, completion and documentation show it. */
export interface Flag {
  /** Short name, long name and the name of its value, such as `-s, --signal <signal>`. */
  readonly flags: string;
  readonly summary: string;
  /** Whether it may be given several times. */
  readonly repeatable?: true;
  readonly choices?: readonly string[];
}

/** What a positional argument names; completion offers what there is. */
export type ArgumentKind = 'task' | 'image' | 'folder' | 'command' | 'word';

export interface Argument {
  /** With brackets as in a usage line: `<id>`, `[ids...]`. */
  readonly usage: string;
  readonly kind: ArgumentKind;
}

/** What a command was called with. */
export interface Invocation {
  readonly args: readonly string[];
  readonly flags: Flags;
  readonly shell: Shell;
}

/** Carries a command out; resolves with the exit status of the program, 0 when it says nothing. */
export type Handler = (invocation: Invocation) => Promise<number | void>;

/** How the same is done with other programs, for docs/verbs.md. A dash: it is not. */
export interface Counterparts {
  readonly ctr: string;
  readonly kubectl: string;
}

/** One row of the command table. Its module is loaded when the command runs, so that help and completion are quick. */
export interface Command {
  /** The words that call it: `ps`, `images ls`. */
  readonly name: string;
  readonly group: 'Tasks' | 'Processes' | 'Node' | 'Images' | 'Other';
  readonly summary: string;
  readonly args: readonly Argument[];
  readonly flags: readonly Flag[];
  /** Lines to try, without the prompt, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  readonly same: Counterparts;
  /** Whether what follows the first argument is somebody else's command line. */
  readonly passesThrough?: true;
  readonly load: () => Promise<{ readonly run: Handler }>;
}

/** Flags of every client command, before or after its name. */
export const globalFlags: readonly Flag[] = [
  { flags: '--address <socket>', summary: "the agent's socket (default /run/runlet/runlet.sock, or RUNLET_ADDRESS)" },
  { flags: '-n, --namespace <name>', summary: "containerd's namespace (default `default`, or RUNLET_NAMESPACE)" },
  { flags: '-o, --output <format>', summary: 'table or json', choices: ['table', 'json'] },
];

/** For verbs that change a task. */
export const forceFlag: Flag = { flags: '--force', summary: 'also change a task that belongs to a NodeTask' };

export const taskArgument: Argument = { usage: '<id>', kind: 'task' };
export const tasksArgument: Argument = { usage: '[ids...]', kind: 'task' };
export const commandArgument: Argument = { usage: '[command...]', kind: 'command' };
