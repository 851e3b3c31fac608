import { DeadlineExceededError } from '#errors/errors.ts';

/** A signal of its own that follows `parent` and aborts after `timeoutMs` with DeadlineExceededError. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * A shorter wait than the caller's. Disposing of it lets go of the parent, where `AbortSignal.any` on a signal that lives
 * as long as the agent would pile up one entry a call.
 */
export function withDeadline(parent: AbortSignal | undefined, timeoutMs: number, what = 'the operation'): Deadline {
  const controller = new AbortController();
  const follow = () => controller.abort(parent?.reason);
  if (parent?.aborted) follow();
  else parent?.addEventListener('abort', follow, { once: true });
  const timer = setTimeout(
    () => controller.abort(new DeadlineExceededError(`${what} took longer than ${timeoutMs} ms`)),
    timeoutMs,
  );
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      parent?.removeEventListener('abort', follow);
    },
  };
}

/** Resolves or rejects as `promise`, or rejects with the signal's reason when it aborts first. The promise itself goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
