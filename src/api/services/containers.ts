import { FailedPreconditionError, InvalidArgumentError, NotFoundError } from '#errors/errors.ts';
import type { Container, ContainerStore } from '#task/containers.ts';
import { parseTaskId, type TaskRef } from '#task/ids.ts';
import type { TaskManager } from '#task/task-manager.ts';
import { containerField, fromWireContainer, toWireContainer, updatedContainer } from '../convert/container.ts';
import { parseFilters } from '../filters.ts';
import type { ContainersServer } from '../gen/containerd/services/containers/v1/containers.ts';
import type { Call, Handlers } from '../handler.ts';

/** containerd.services.containers.v1.Containers over the records. */
export function containersService(
  handlers: Handlers,
  containers: ContainerStore,
  tasks: TaskManager,
): ContainersServer {
  const chosen = (call: Call, filters: readonly string[]): readonly Container[] => {
    const matches = parseFilters(filters);
    return containers.list(call.namespace()).filter((container) => matches(containerField(container)));
  };
  return {
    get: handlers.read(({ id }, call) => ({ container: toWireContainer(containers.get(refOf(call, id))) })),
    list: handlers.read(({ filters }, call) => ({ containers: chosen(call, filters).map(toWireContainer) })),
    listStream: handlers.stream(undefined, async ({ filters }, call, send) => {
      for (const container of chosen(call, filters)) await send({ container: toWireContainer(container) });
    }),
    create: handlers.change('create-container', async ({ container }, call) => ({
      container: toWireContainer(await containers.create(fromWireContainer(call.namespace(), container))),
    })),
    update: handlers.change('update-container', async ({ container, updateMask }, call) => {
      if (!container?.id) throw new InvalidArgumentError('Container.ID required: invalid argument');
      const ref = refOf(call, container.id);
      const before = containers.find(ref);
      if (!before) throw new NotFoundError(`container "${ref.id}": not found`);
      return { container: toWireContainer(await containers.update(updatedContainer(before, container, updateMask))) };
    }),
    delete: handlers.change('delete-container', async ({ id }, call) => {
      const ref = refOf(call, id);
      // Without its container a task could be neither reached nor removed.
      if (tasks.find(ref)) {
        throw new FailedPreconditionError(`cannot delete container ${id}: it has a task: failed precondition`);
      }
      await containers.delete(ref);
      return {};
    }),
  };
}

function refOf(call: Call, id: string): TaskRef {
  return { namespace: call.namespace(), id: parseTaskId(id) };
}
