/** What the script that CRIU calls is told by: where the script of one restore is. */
export const gateVariable = 'RUNLET_RESTORE_GATE';

/**
 * The program that CRIU's configuration names, one for all restores: it must lie where programs may be run, which `/run` often
 * forbids. Without the variable it does nothing, as in later dumps of a task that keeps CRIU's configuration.
 */
export const holdProgram = `#!/bin/sh
[ -n "$${gateVariable}" ] || exit 0
exec /bin/sh "$${gateVariable}"
`;

export interface HoldScript {
  /** The folders of the cgroup that CRIU and this script move to, in every tree. */
  readonly helperFolders: readonly string[];
  /** The order that freezes the task's cgroup. */
  readonly freeze: { readonly file: string; readonly text: string };
  /** Written when everything stands still. */
  readonly held: string;
  /** The FIFO that the verdict comes through. */
  readonly verdict: string;
  /** There once the task may go on, whatever became of the agent that said so. */
  readonly proved: string;
}

/**
 * What CRIU runs at each of its steps (criu(8), action scripts). At `pre-resume` everything is restored and every thread still
 * held by CRIU. There the script moves CRIU and itself out of the task's cgroup, freezes that, so that nothing runs whatever
 * becomes of CRIU, and waits for the agent's word. Without a good one the first process is killed: CRIU goes on whatever this
 * step returns. CRIU reads its configuration twice and so may call this twice. Shell built-ins only.
 */
export function holdScript({ helperFolders, freeze, held, verdict, proved }: HoldScript): string {
  const moves = helperFolders.map((folder) => `  echo $pid > ${quoted(`${folder}/cgroup.procs`)} || end`);
  return `[ "$CRTOOLS_SCRIPT_ACTION" = pre-resume ] || exit 0
[ -e ${quoted(proved)} ] && exit 0
end() {
  kill -9 "$CRTOOLS_INIT_PID"
  exit 1
}
for pid in $PPID $$; do
${moves.join('\n')}
done
echo ${freeze.text} > ${quoted(freeze.file)} || end
echo "$CRTOOLS_INIT_PID" > ${quoted(held)} || end
word=
read -r word < ${quoted(verdict)}
[ "$word" = go ] && exit 0
[ -e ${quoted(proved)} ] && exit 0
end
`;
}

/** A word of the shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
