import type { LinuxResources } from '#oci/runtime-spec.ts';
import type { Cancellable } from '#task/runtime.ts';
import type { RuntimeContext } from './context.ts';
import type { SupervisedTask } from './supervised-task.ts';

/** Changes the limits of a task. */
export async function updateTask(
  _context: RuntimeContext,
  task: SupervisedTask,
  resources: LinuxResources,
  { signal }: Cancellable,
): Promise<void> {
  await task.command.run(['update', '--resources', '-', task.record.id], {
    input: JSON.stringify(resources),
    ...(signal ? { signal } : {}),
  });
}
