import { MalformedError } from '#errors/errors.ts';

/** One line that conmon writes to its sync descriptor under `--api-version`. */
export interface SyncMessage {
  /** The container's pid, or an exec's; later an exec's exit code; negative is a failure. */
  readonly data: number;
  readonly message?: string;
}

/** Parses what has been written so far; the last line may be cut and is left for later. Throws MalformedError. */
export function parseSync(text: string): readonly SyncMessage[] {
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(line: string): SyncMessage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new MalformedError(`conmon wrote what is not JSON to its sync file: ${line.slice(0, 200)}`, { cause: error });
  }
  const { data, message } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof data !== 'number') throw new MalformedError(`conmon's sync message has no data: ${line.slice(0, 200)}`);
  return { data, ...(typeof message === 'string' ? { message } : {}) };
}
