import { setTimeout as sleep } from 'node:timers/promises';
import type { Shell } from './shell.ts';

/** The surroundings of this very process. */
export function processShell(version: string, env: Shell['env']): Shell {
  // A reader that goes away is told to whoever writes; without a listener it would end the program in the middle.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  return {
    // Opened only when somebody reads it: an open stdin keeps the program from ending.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env,
    cwd: process.cwd(),
    version,
    onSignal: (name, listener) => {
      process.on(name, listener);
      return { [Symbol.dispose]: () => void process.off(name, listener) };
    },
    nowMs: () => Date.now(),
    pause: async (ms, signal) => {
      try {
        await sleep(ms, undefined, signal ? { signal } : {});
      } catch (error) {
        if (!signal?.aborted) throw error;
      }
    },
  };
}
