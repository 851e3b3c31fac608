import type { StatsReply } from '#api/gen/runlet/v1/runlet.ts';
import type { Invocation } from '../command.ts';
import { formatTable, type Column } from '../output/table.ts';
import { Session } from '../session.ts';
import { write, type Shell } from '../shell.ts';
import { rawMode, readInput } from '../terminal/input.ts';
import { readUsage, toUsage, usageColumns, usageJson, type Usage } from './usage.ts';

const defaultIntervalMs = 2000;

/** The first rates come soon. */
const firstIntervalMs = 500;

/** q, Q, Ctrl-C, Ctrl-D and Escape. */
const quitKeys: ReadonlySet<number> = new Set([0x71, 0x51, 3, 4, 0x1b]);

const enterScreen = '\u001B[?1049h\u001B[?25l';
const leaveScreen = '\u001B[?25h\u001B[?1049l';

/** Shows what tasks use, the busiest first, again and again until q or Ctrl-C. Without a terminal the tables follow each other. */
export async function run(invocation: Invocation): Promise<void> {
  const { args, flags, shell } = invocation;
  const intervalMs = flags.durationMs('interval') ?? defaultIntervalMs;
  const rounds = flags.count('count') ?? Number.POSITIVE_INFINITY;
  using session = new Session(invocation);
  const ids = await Promise.all(args.map(async (name) => (await session.find(name)).id));
  const over = new AbortController();
  using held = new DisposableStack();
  const columns = usageColumns({ namespace: session.namespace === undefined, wide: flags.is('wide') });
  const screen = shell.stdout.isTTY === true && !session.json;
  held.use(shell.onSignal('SIGINT', () => over.abort()));
  held.use(shell.onSignal('SIGTERM', () => over.abort()));
  if (screen) await takeScreen(shell, held, () => over.abort());
  let before = await readUsage(session, ids);
  for (let round = 0; round < rounds; round += 1) {
    await shell.pause(round === 0 ? Math.min(firstIntervalMs, intervalMs) : intervalMs, over.signal);
    if (over.signal.aborted) return;
    const now = await readUsage(session, ids);
    await write(
      shell.stdout,
      session.json ? jsonLine(before, now) : page(shell, toUsage(before, now), { screen, columns }),
    );
    before = now;
  }
}

/** The alternate screen, so that what stood there is there again afterwards; keys come at once. */
async function takeScreen(shell: Shell, held: DisposableStack, quit: () => void): Promise<void> {
  await write(shell.stdout, enterScreen);
  held.defer(() => void write(shell.stdout, leaveScreen).catch(() => {}));
  if (!shell.stdin.isTTY) return;
  held.use(rawMode(shell.stdin));
  held.use(
    readInput(shell.stdin, {
      data: (chunk) => {
        if (chunk.some((byte) => quitKeys.has(byte))) quit();
        return Promise.resolve();
      },
      end: quit,
    }),
  );
}

function jsonLine(before: StatsReply, now: StatsReply): string {
  return `${JSON.stringify(byCpu(toUsage(before, now)).map(usageJson))}\n`;
}

/** The busiest first. */
export function byCpu(usage: readonly Usage[]): readonly Usage[] {
  return usage.toSorted((a, b) => (b.rates?.cores ?? 0) - (a.rates?.cores ?? 0));
}

function page(
  shell: Shell,
  usage: readonly Usage[],
  { screen, columns }: { readonly screen: boolean; readonly columns: readonly Column<Usage>[] },
): string {
  const table = formatTable(columns, byCpu(usage));
  if (!screen) return table;
  const [height, width] = [shell.stdout.rows ?? 24, shell.stdout.columns ?? 80];
  const head = `runlet top – ${usage.length} running – q quits`;
  const lines = [head, ...table.trimEnd().split('\n')].slice(0, height - 1);
  return `\u001B[H${lines.map((line) => `${line.slice(0, width)}\u001B[K\r\n`).join('')}\u001B[J`;
}
