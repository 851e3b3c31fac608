import type { StatsDetail } from '#cgroup/stats.ts';

/** What a series may have as its value; `unlimited` is written as `+Inf`. */
export type Value = bigint | number | 'unlimited';

/** Adds one series; a value that is not known adds none. The labels are the row's own, in its order. */
export type Add = (value: Value | undefined, ...labels: readonly string[]) => void;

/** One metric of a task as data: the exposition, `docs/metrics.md`, the dashboard's and the alerts' checks read it. */
export interface Row<S> {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** The smallest profile that has it. */
  readonly profile: StatsDetail;
  /** Labels besides `namespace` and `task`, with the values they may have, or undefined where the machine names them. */
  readonly labels?: Readonly<Record<string, readonly string[] | undefined>>;
  /** Values are whole microseconds, written as seconds. */
  readonly inMicroseconds?: true;
  readonly read: (from: S, add: Add) => void;
}

/** A row that knows itself where in a sample its numbers are. */
export interface Family<S> extends Row<S> {
  readonly labelNames: readonly string[];
}

/** Makes families of rows that read a part of a sample; a sample without that part has no series of them. */
export function families<S, P>(part: (sample: S) => P | undefined, rows: readonly Row<P>[]): readonly Family<S>[] {
  return rows.map((row) => ({
    ...row,
    labelNames: Object.keys(row.labels ?? {}),
    read: (sample, add) => {
      const from = part(sample);
      if (from !== undefined) row.read(from, add);
    },
  }));
}
