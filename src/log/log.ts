import pino, { type Logger } from 'pino';

/** The logger that parts are given: pino's levels, constant messages, facts as fields. */
export type Log = Logger;

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** JSON lines on stderr, written at once, so that a crash loses none; readable lines when stderr is a terminal. */
export function createLog(options: { readonly level: LogLevel; readonly pretty: boolean }): Log {
  const settings = { level: options.level, base: {}, timestamp: pino.stdTimeFunctions.isoTime };
  const stderr = pino.destination({ fd: 2, sync: true });
  return options.pretty ? pino(settings, readable(stderr)) : pino(settings, stderr);
}

/** A logger that says nothing, for tests and clients. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}

interface Sink {
  write(line: string): unknown;
}

/** Turns each JSON line into `time LEVEL message key=value …`. */
function readable(sink: Sink): Sink {
  return {
    write: (line) => {
      const { time, level, msg, ...facts } = JSON.parse(line) as Record<string, unknown>;
      const name = pino.levels.labels[Number(level)]?.toUpperCase().padEnd(5) ?? '';
      const rest = Object.entries(facts).map(([key, value]) => `${key}=${plain(value)}`);
      return sink.write(`${String(time).slice(11, 23)} ${name} ${[String(msg), ...rest].join(' ')}\n`);
    },
  };
}

function plain(value: unknown): string {
  return typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value);
}
