import { TerminalError } from '#errors/errors.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { problemText, type Problem } from '../node-task/problem.ts';
import type { NodeTask } from '../node-task/types.ts';
import type { PodSecurityLevel } from '../reconcile/source.ts';
import { baselineRules, type LevelRule } from './baseline.ts';
import { restrictedRules, withoutUnnamedCapabilities } from './restricted.ts';

const rules: Readonly<Record<PodSecurityLevel, readonly LevelRule[]>> = {
  privileged: [],
  baseline: baselineRules,
  restricted: restrictedRules,
};

/** What of a task lies outside a level, judged on the specification that would run; each field once. Pure. */
export function levelProblems(task: NodeTask, level: PodSecurityLevel, spec: RuntimeSpec): readonly Problem[] {
  const found = rules[level].flatMap((rule) => rule(task, spec));
  return found.filter(({ path, rule }, at) => at === found.findIndex((one) => one.path === path && one.rule === rule));
}

/** Throws TerminalError (`PolicyViolation`) that names each refused field. */
export function checkLevel(task: NodeTask, level: PodSecurityLevel, spec: RuntimeSpec): void {
  const problems = levelProblems(task, level, spec);
  if (problems.length === 0) return;
  throw new TerminalError(
    'PolicyViolation',
    `the namespace's Pod Security level is ${level}: ${problems.map(problemText).join('; ')}`,
  );
}

/** The task as it is made under a level: what it does not ask for it does not get where the level is narrow. */
export function underLevel(task: NodeTask, level: PodSecurityLevel): NodeTask {
  return level === 'restricted' ? withoutUnnamedCapabilities(task) : task;
}

const width: readonly PodSecurityLevel[] = ['restricted', 'baseline', 'privileged'];

/** The narrower of two levels. */
export function narrower(one: PodSecurityLevel, other: PodSecurityLevel): PodSecurityLevel {
  return width.indexOf(one) <= width.indexOf(other) ? one : other;
}
