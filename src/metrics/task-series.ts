import type { TaskRef } from '#task/ids.ts';
import type { TaskSample } from './container/sample.ts';
import { formatLabel, type FamilyHead } from './exposition.ts';
import { Lines } from './lines.ts';
import type { Add, Family } from './row.ts';

/** The lines of all tasks in one family. */
export interface Section {
  readonly family: FamilyHead;
  readonly lines: Buffer;
}

/**
 * Writes the series of tasks. A task's lines go to every family's section as soon as the task is read, so that of a thousand
 * readings nothing is kept but the bytes that are sent. Bytes of names and labels are kept from one scrape to the next.
 */
export class TaskSeries {
  readonly #families: readonly SeriesWriter[];

  constructor(families: readonly Family<TaskSample>[]) {
    this.#families = families.map((family) => new SeriesWriter(family));
  }

  /** Begins anew; sections that were handed out stay as they are. */
  begin(): void {
    for (const family of this.#families) family.begin();
  }

  /** Writes a task; tasks stand in each section in the order of these calls. */
  add(sample: TaskSample, labels: TaskLabels): void {
    for (const family of this.#families) family.add(sample, labels);
  }

  /** The families that have series. */
  end(): readonly Section[] {
    return this.#families.flatMap((family) => family.end());
  }
}

/** The labels that name a task, as bytes: `{namespace="default",task="web"`. */
export type TaskLabels = Buffer;

export function taskLabels({ namespace, id }: TaskRef): TaskLabels {
  return Buffer.from(`{${formatLabel('namespace', namespace)},${formatLabel('task', id)}`);
}

/** What a section may grow by from one scrape to the next without being copied. */
const spare = 1.1;

class SeriesWriter {
  readonly #family: Family<TaskSample>;
  readonly #name: Buffer;
  readonly #labels: LabelBytes;
  #task: TaskLabels = Buffer.alloc(0);
  #lines = new Lines();

  constructor(family: Family<TaskSample>) {
    this.#family = family;
    this.#name = Buffer.from(family.name);
    this.#labels = new LabelBytes(family.labelNames);
  }

  begin(): void {
    this.#lines = new Lines(Math.ceil(this.#lines.length * spare));
  }

  add(sample: TaskSample, labels: TaskLabels): void {
    this.#task = labels;
    this.#family.read(sample, this.#add);
  }

  end(): readonly Section[] {
    return this.#lines.length === 0 ? [] : [{ family: this.#family, lines: this.#lines.written }];
  }

  readonly #add: Add = (value, ...labels) => {
    if (value === undefined) return;
    const lines = this.#lines;
    lines.bytes(this.#name);
    lines.bytes(this.#task);
    lines.bytes(this.#labels.of(labels));
    if (this.#family.inMicroseconds) lines.microseconds(value);
    else lines.value(value);
  };
}

/** Bounds the label texts kept of one family: device and interface names may come and go for ever. */
const keptLabels = 2_000;

/** The bytes of a row's own labels up to the value, such as `,op="read"} `. */
class LabelBytes {
  readonly #names: readonly string[];
  readonly #known = new Map<string, Buffer>();
  readonly #none = Buffer.from('} ');

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  of(values: readonly string[]): Buffer {
    if (values.length === 0) return this.#none;
    const key = values.length === 1 ? (values[0] ?? '') : values.join('\0');
    const known = this.#known.get(key);
    if (known) return known;
    if (this.#known.size >= keptLabels) this.#known.clear();
    const bytes = Buffer.from(
      `${values.map((value, at) => `,${formatLabel(this.#names[at] ?? '', value)}`).join('')}} `,
    );
    this.#known.set(key, bytes);
    return bytes;
  }
}
