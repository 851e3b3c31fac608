import { RunletError } from '#errors/errors.ts';

/** The runtime could not make the process; the message is the runtime's own. */
export class RuntimeFailedError extends RunletError {
  constructor(message: string, cause?: unknown) {
    super('internal', message, cause === undefined ? {} : { cause });
  }
}

/**
 * The runtime's own account of a failure: the last error in the JSON log that it was told to write (`--log`,
 * `--log-format json`), one `{"level", "msg", "time"}` a line. Undefined when it wrote none. Never throws.
 */
export function lastError(log: string): string | undefined {
  for (const line of log.split('\n').toReversed()) {
    try {
      const { level, msg } = JSON.parse(line) as { level?: unknown; msg?: unknown };
      if ((level === 'error' || level === 'fatal') && typeof msg === 'string' && msg !== '') return msg;
    } catch {
      // crun may mix in plain lines, and the last line may be cut.
    }
  }
  return undefined;
}
