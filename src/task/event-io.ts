import type { TaskEvent } from './events.ts';
import type { ProcessIo } from './io.ts';

type EventIo = Extract<TaskEvent, { readonly topic: '/tasks/create' }>['io'];

/** The streams as containerd's event has them: paths, empty where there is none. */
export function toEventIo(io: ProcessIo): EventIo {
  const none = { stdin: '', stdout: '', stderr: '', terminal: io.terminal };
  switch (io.kind) {
    case 'fifo':
      return { ...none, stdin: io.stdin ?? '', stdout: io.stdout ?? '', stderr: io.stderr ?? '' };
    case 'file':
      return { ...none, stdout: `file://${io.path}`, stderr: `file://${io.path}` };
    case 'log':
      return { ...none, stdout: io.path ?? '', stderr: io.terminal ? '' : (io.path ?? '') };
    case 'null':
      return none;
  }
}
