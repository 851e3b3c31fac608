import { applyLimits } from '#cgroup/apply-limits.ts';
import { FailedPreconditionError, UnimplementedError } from '#errors/errors.ts';
import type { LinuxResources } from '#oci/runtime-spec.ts';
import type { Cancellable } from '#task/runtime.ts';
import type { RuntimeContext } from './context.ts';
import type { SupervisedTask } from './supervised-task.ts';

/**
 * Changes the limits of a task, all that can be changed whether or not the rest can. The kernel's files are written here,
 * because the runtime's own update knows neither hugepages nor throttled devices; under systemd its command is asked, or
 * systemd would undo it. Throws FailedPreconditionError (UnimplementedError when nothing but the kernel stands against it)
 * whose `details.failures` are LimitFailures.
 */
export async function updateTask(
  context: RuntimeContext,
  task: SupervisedTask,
  resources: LinuxResources,
  { signal }: Cancellable,
): Promise<void> {
  if (context.cgroupDriver === 'systemd') {
    await task.command.run(['update', '--resources', '-', task.record.id], {
      input: JSON.stringify(resources),
      ...(signal ? { signal } : {}),
    });
    return;
  }
  const failures = applyLimits(task.group, resources);
  if (failures.length === 0) return;
  const message = `cannot update task ${task.key}: ${failures.map((failure) => failure.message).join('; ')}`;
  const unsupported = failures.every(({ reason }) => reason === 'NotSupported');
  throw new (unsupported ? UnimplementedError : FailedPreconditionError)(message, { details: { failures } });
}
