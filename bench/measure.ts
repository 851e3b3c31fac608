/** What was measured of one thing, in milliseconds. */
export interface Series {
  readonly name: string;
  readonly samples: readonly number[];
  /** What it is to be compared with. */
  readonly against?: readonly number[];
  /** What it should stay below, in words. */
  readonly aim?: string;
}

/** The value below which this share of the samples lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** How long some work takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Prints median and p99 of each, beside the median of what it is compared with. */
export function printSeries(all: readonly Series[]): void {
  const rows = all.map(({ name, samples, against, aim }) => {
    const median = quantile(samples, 0.5);
    const other = against ? quantile(against, 0.5) : undefined;
    return [
      name,
      ms(median),
      ms(quantile(samples, 0.99)),
      other === undefined ? '' : ms(other),
      other === undefined ? '' : `${(median / other).toFixed(2)}×`,
      aim ?? '',
    ];
  });
  printTable(['', 'median ms', 'p99 ms', 'runc ms', 'ratio', 'aim'], rows);
}

/** Prints columns, the first to the left and the others to the right. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    console.log(cells.join('  ').trimEnd());
  }
}

function ms(value: number): string {
  return value.toFixed(2);
}
