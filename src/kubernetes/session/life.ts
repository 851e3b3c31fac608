import type { Clock } from '#async/clock.ts';

/** How long a session may last. */
export interface Life extends Disposable {
  /** Aborts when the session is to end. */
  readonly signal: AbortSignal;
  readonly end: (reason: Error) => void;
}

/** How often it is looked whether the object of an open session is still there: deleting it ends the session. */
const lookEveryMs = 5000;

/** Lasts until one of the signals aborts, or `gone` says why it is over; while that fails, nothing is known and it goes on. */
export function lifeOf(options: {
  readonly signals: readonly AbortSignal[];
  readonly gone: (signal: AbortSignal) => Promise<Error | undefined>;
  readonly clock: Clock;
}): Life {
  const controller = new AbortController();
  const held = new DisposableStack();
  const end = (reason: unknown) => controller.abort(reason);
  for (const signal of options.signals) held.use(follow(signal, end));
  held.use(lookAgain(options, end));
  return { signal: controller.signal, end, [Symbol.dispose]: () => held[Symbol.dispose]() };
}

function follow(signal: AbortSignal, end: (reason: unknown) => void): Disposable {
  const tell = () => end(signal.reason);
  if (signal.aborted) tell();
  else signal.addEventListener('abort', tell, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', tell) };
}

function lookAgain(
  { gone, clock }: { readonly gone: (signal: AbortSignal) => Promise<Error | undefined>; readonly clock: Clock },
  end: (reason: Error) => void,
): Disposable {
  const over = new AbortController();
  let cancel: (() => void) | undefined;
  const look = async () => {
    const why = await gone(over.signal).catch(() => undefined);
    if (over.signal.aborted) return;
    if (why) end(why);
    else again();
  };
  const again = () => {
    cancel = clock.after(lookEveryMs, () => void look());
  };
  again();
  return {
    [Symbol.dispose]: () => {
      over.abort();
      cancel?.();
    },
  };
}
