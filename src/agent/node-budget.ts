import { applyLimits } from '#cgroup/apply-limits.ts';
import type { CgroupGroup } from '#cgroup/group.ts';
import type { Limits } from '#cgroup/limits.ts';
import type { Log } from '#log/log.ts';

/** What all tasks of a node may use together. */
export interface NodeBudget {
  readonly budgetMemory: number | undefined;
  /** 1–10000, as cgroup v2's cpu.weight. */
  readonly budgetCpuWeight: number | undefined;
  readonly budgetPids: number | undefined;
}

/**
 * Sets the limits of the cgroup that holds every task. What is not asked for is as without a limit, so that a budget that was
 * taken away does not stay. A limit that the kernel does not take is said in the log, and the agent goes on: tasks have
 * limits of their own.
 */
export function applyBudget(group: CgroupGroup, budget: NodeBudget, log: Log): void {
  for (const { field, reason, message } of applyLimits(group, budgetLimits(budget))) {
    const wanted = { memory: budget.budgetMemory, cpu: budget.budgetCpuWeight, pids: budget.budgetPids };
    const name = field.split('.')[0] as keyof typeof wanted;
    if (wanted[name] !== undefined) log.warn({ field, reason, detail: message }, 'cannot set the budget of all tasks');
  }
}

const usualWeight = 100;

/** The budget in OCI's words. */
export function budgetLimits({ budgetMemory, budgetCpuWeight, budgetPids }: NodeBudget): Limits {
  return {
    memory: { limit: budgetMemory ?? -1 },
    cpu: { shares: sharesOfWeight(budgetCpuWeight ?? usualWeight) },
    pids: { limit: budgetPids ?? -1 },
  };
}

/**
 * v1's shares for a weight of v2: OCI's field is in shares, which runtimes and planLimits turn into a weight by
 * 1 + (shares − 2) × 9999 / 262142. The usual weight stands for v1's usual 1024.
 */
export function sharesOfWeight(weight: number): number {
  if (weight === usualWeight) return 1024;
  return Math.min(262_144, 2 + Math.ceil(((weight - 1) * 262_142) / 9999));
}
