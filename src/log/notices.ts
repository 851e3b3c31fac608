import { channel } from 'node:diagnostics_channel';

/** What is told for measuring from places that know nothing of metrics; nobody has to listen. */
export interface Notices {
  /** A program was started; the event loop stood still for so long. */
  spawned: { readonly durationMs: number };
  /** A task's log was set aside. */
  'log-rotated': { readonly bytes: number };
  /** Something was found that belongs to no task. */
  'orphan-found': { readonly kind: 'monitor' | 'mount' | 'cgroup' };
}

/** Tells everybody who listens, at once. Costs next to nothing when nobody does. */
export function tell<K extends keyof Notices>(name: K, notice: Notices[K]): void {
  channel(`runlet.${name}`).publish(notice);
}

/** Listens until disposed of. */
export function hear<K extends keyof Notices>(name: K, listener: (notice: Notices[K]) => void): Disposable {
  const there = channel(`runlet.${name}`);
  const onMessage = (message: unknown) => listener(message as Notices[K]);
  there.subscribe(onMessage);
  return { [Symbol.dispose]: () => there.unsubscribe(onMessage) };
}
