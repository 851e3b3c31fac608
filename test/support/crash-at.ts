/**
 * Loaded before a program with `--import`: once the program has armed it, every step that outlives a process is counted
 * (a file written, renamed or removed, a program started, a signal sent), and before step number CRASH_AT the program
 * kills itself as `kill -9` would. With CRASH_AT past the last step it runs to its end, and leaves the number of its steps in
 * the file that STEPS_FILE names, if any.
 */
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const crashAt = Number(process.env['CRASH_AT']);
let armed = false;
let steps = 0;
const kill = process.kill.bind(process);
const writeFile = fs.writeFileSync;

function step(): void {
  if (!armed) return;
  steps += 1;
  if (steps === crashAt) {
    kill(process.pid, 'SIGKILL');
    for (;;); // the signal is on its way; nothing more may happen
  }
}

type Call = (...args: never[]) => unknown;

function count(
  owner: object,
  names: readonly string[],
  counts: (args: readonly unknown[]) => boolean = () => true,
): void {
  const functions = owner as Record<string, Call>;
  for (const name of names) {
    const original = functions[name];
    if (!original) throw new Error(`no function ${name} to count`);
    functions[name] = function counted(this: unknown, ...args: never[]): unknown {
      if (counts(args)) step();
      return original.apply(this, args);
    };
  }
}

const changes = ['writeFile', 'rename', 'rm', 'rmdir', 'mkdir', 'unlink', 'symlink'];
count(
  fs,
  changes.map((name) => `${name}Sync`),
);
count(
  fs,
  ['openSync'],
  ([, flags]) => flags === 'w' || (typeof flags === 'number' && (flags & fs.constants.O_CREAT) !== 0),
);
count(fs.promises, changes);
count(fs.promises, ['open'], ([, flags]) => flags === 'w');
count(childProcess, ['spawn']);
count(process, ['kill'], ([, signal]) => signal !== 0);
syncBuiltinESMExports();

const stepsFile = process.env['STEPS_FILE'];
if (stepsFile !== undefined) process.on('exit', () => writeFile(stepsFile, String(steps)));

/** Begins to count; called by the program under test. */
(globalThis as { armCrash?: () => void }).armCrash = () => {
  armed = true;
};
