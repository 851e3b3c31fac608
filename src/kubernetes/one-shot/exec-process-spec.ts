import type { ProcessSpec } from '#oci/runtime-spec.ts';
import type { ExecSpec } from './request.ts';

/** By this variable, the object's UID, all that descends from an exec's program is known again. */
export const execMark = 'RUNLET_EXEC_UID';

/**
 * The process of an exec: the task's own with another program, so that it is the same user with the same capabilities, limits
 * and profiles, and never gains rights that the task could not. Pure.
 */
export function execProcessSpec(
  task: ProcessSpec,
  spec: Pick<ExecSpec, 'command' | 'env' | 'workingDir'>,
  uid: string,
): ProcessSpec {
  const { consoleSize: _, ...own } = task;
  const named = [...(spec.env ?? []), { name: execMark, value: uid }];
  const names = new Set(named.map(({ name }) => name));
  const kept = (own.env ?? []).filter((line) => !names.has(line.slice(0, line.indexOf('='))));
  return {
    ...own,
    terminal: false,
    args: spec.command,
    env: [...kept, ...named.map(({ name, value = '' }) => `${name}=${value}`)],
    cwd: spec.workingDir ?? own.cwd,
  };
}
