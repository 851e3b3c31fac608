import { replies } from '#api/client.ts';
import type { LogChunk } from '#api/gen/runlet/v1/runlet.ts';
import { InvalidArgumentError } from '#errors/errors.ts';
import type { Invocation } from '../command.ts';
import { parseDurationMs } from '../output/units.ts';
import { Session } from '../session.ts';
import { write } from '../shell.ts';

/** Prints the lines of a task's log, each to the stream that it was written to. */
export async function run(invocation: Invocation): Promise<void> {
  const { args, flags, shell } = invocation;
  using session = new Session(invocation);
  const [tail, attempt] = [flags.count('tail'), flags.count('attempt')];
  const sinceMs = BigInt(Math.round(sinceOf(flags.text('since'), shell.nowMs())));
  const ref = await session.find(args[0] ?? '');
  const printer = new LogPrinter(flags.is('timestamps'));
  const chunks = session.api.runlet.logs({ ...ref, attempt, tail, sinceMs, follow: flags.is('follow') });
  for await (const chunk of replies(chunks)) {
    if (session.json) await write(shell.stdout, `${JSON.stringify(chunkJson(chunk))}\n`);
    else await write(chunk.stream === 'stderr' ? shell.stderr : shell.stdout, printer.print(chunk));
  }
}

/** Milliseconds since 1970 of a time such as `10m`, so long ago, or of a date; 0 is the beginning. */
export function sinceOf(text: string | undefined, nowMs: number): number {
  if (text === undefined) return 0;
  const ago = parseDurationMs(text);
  const at = ago === undefined ? Date.parse(text) : nowMs - ago;
  if (!Number.isNaN(at)) return Math.max(0, at);
  throw new InvalidArgumentError(
    `--since must be a time such as 10m, or a date such as 2026-01-31T12:00:00Z, not "${text}"`,
  );
}

const lineEnd = 0x0a;

/** Puts the time before each line, not before the further parts of a long one. */
export class LogPrinter {
  readonly #timestamps: boolean;
  readonly #inLine = new Set<string>();

  constructor(timestamps: boolean) {
    this.#timestamps = timestamps;
  }

  print({ time, stream, data }: LogChunk): Uint8Array {
    const begins = !this.#inLine.has(stream);
    if (data.at(-1) === lineEnd) this.#inLine.delete(stream);
    else this.#inLine.add(stream);
    return this.#timestamps && begins ? Buffer.concat([Buffer.from(`${time} `), data]) : data;
  }
}

function chunkJson({ time, stream, data }: LogChunk): object {
  return { time, stream, text: Buffer.from(data).toString('utf8') };
}
