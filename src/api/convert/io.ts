import { InvalidArgumentError } from '#errors/errors.ts';
import type { ProcessIo } from '#task/io.ts';

interface Streams {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly terminal: boolean;
}

/**
 * Where an API client wants a process's streams: FIFOs by their paths, or a file by `file:///P`. The scheme of stdout
 * decides, as in containerd. Throws InvalidArgumentError for a logging program, which is not run here.
 */
export function toProcessIo({ stdin, stdout, stderr, terminal }: Streams): ProcessIo {
  const scheme = /^([a-z]+):\/\//.exec(stdout)?.[1] ?? 'fifo';
  if (scheme === 'file') {
    if (terminal) throw new InvalidArgumentError('stdout file:// and a terminal exclude each other: invalid argument');
    return { kind: 'file', terminal: false, path: decodeURIComponent(new URL(stdout).pathname) };
  }
  if (scheme !== 'fifo') {
    throw new InvalidArgumentError(`stdout ${scheme}:// is not supported, only FIFOs and file://: invalid argument`);
  }
  if (!stdin && !stdout && !stderr && !terminal) return { kind: 'null', terminal: false };
  return {
    kind: 'fifo',
    terminal,
    ...(stdin ? { stdin: fifoPath(stdin) } : {}),
    ...(stdout ? { stdout: fifoPath(stdout) } : {}),
    ...(stderr && !terminal ? { stderr: fifoPath(stderr) } : {}),
  };
}

function fifoPath(text: string): string {
  return text.replace(/^fifo:\/\//, '');
}

/** And back, for clients that ask. */
export function fromProcessIo(io: ProcessIo): Streams {
  const none = { stdin: '', stdout: '', stderr: '', terminal: io.terminal };
  switch (io.kind) {
    case 'null':
      return none;
    case 'file':
      return { ...none, stdout: `file://${io.path}`, stderr: `file://${io.path}` };
    case 'log':
      return io.path === undefined ? none : { ...none, stdout: `file://${io.path}`, stderr: `file://${io.path}` };
    case 'fifo':
      return { ...none, stdin: io.stdin ?? '', stdout: io.stdout ?? '', stderr: io.stderr ?? '' };
  }
}
