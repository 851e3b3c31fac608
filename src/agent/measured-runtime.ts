import { errorCode } from '#errors/errors.ts';
import type { Runtime } from '#task/runtime.ts';

/** Told of each verb that the runtime has carried out, or not, with the error's code as the reason. */
export type OperationObserver = (operation: string, seconds: number, reason?: string) => void;

/** The runtime, with the time that each verb of the Task interface takes told to an observer. */
export function measuredRuntime(runtime: Runtime, observe: OperationObserver): Runtime {
  const timed = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1000;
    try {
      const result = await work();
      observe(operation, seconds());
      return result;
    } catch (error) {
      observe(operation, seconds(), errorCode(error));
      throw error;
    }
  };
  return {
    recover: (listener) => runtime.recover(listener),
    bundlePath: (task) => runtime.bundlePath?.(task) ?? '',
    openStats: (task) => runtime.openStats(task),
    waited: (process, waiting) => runtime.waited(process, waiting),
    close: () => runtime.close(),
    create: (record, spec, options) => timed('create', () => runtime.create(record, spec, options)),
    start: (task, options) => timed('start', () => runtime.start(task, options)),
    addExec: (task, exec) => runtime.addExec(task, exec),
    startExec: (task, execId, options) => timed('exec', () => runtime.startExec(task, execId, options)),
    deleteExec: (task, execId) => timed('delete_exec', () => runtime.deleteExec(task, execId)),
    kill: (process, signal) => timed('kill', () => runtime.kill(process, signal)),
    killAll: (task, signal) => timed('kill_all', () => runtime.killAll(task, signal)),
    pause: (task, options) => timed('pause', () => runtime.pause(task, options)),
    resume: (task, options) => timed('resume', () => runtime.resume(task, options)),
    pids: (task) => timed('pids', () => runtime.pids(task)),
    update: (task, resources, options) => timed('update', () => runtime.update(task, resources, options)),
    checkpoint: (task, checkpoint, options) => timed('checkpoint', () => runtime.checkpoint(task, checkpoint, options)),
    resize: (process, size) => timed('resize', () => runtime.resize(process, size)),
    closeStdin: (process) => timed('close_io', () => runtime.closeStdin(process)),
    attach: (process) => timed('attach', () => runtime.attach(process)),
    delete: (task) => timed('delete', () => runtime.delete(task)),
  };
}
