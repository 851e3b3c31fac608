import { watch } from 'node:fs';

/**
 * Calls for every change of a folder's entries, with the name where the kernel gives one (inotify(7)). An event may come
 * twice or for a name that has gone again: the caller looks for itself. A watch that fails says so once and is over.
 */
export function watchFolder(
  path: string,
  onChange: (name: string | undefined) => void,
  onError: (error: Error) => void,
): Disposable {
  const watcher = watch(path, { persistent: false }, (_event, name) => onChange(name ?? undefined));
  watcher.on('error', onError);
  return { [Symbol.dispose]: () => watcher.close() };
}
