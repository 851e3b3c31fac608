import type { TaskRef } from '#task/ids.ts';
import type { TaskSample } from './container/sample.ts';
import { formatLabel, type Exposition } from './exposition.ts';
import { LabelBytes } from './label-bytes.ts';
import type { Add, Family } from './row.ts';
import { SeriesList } from './series-list.ts';
import type { Slices } from './slices.ts';

/** The labels that name a task, as bytes: `{namespace="default",task="web"`. */
export type TaskLabels = Buffer;

export function taskLabels({ namespace, id }: TaskRef): TaskLabels {
  return Buffer.from(`{${formatLabel('namespace', namespace)},${formatLabel('task', id)}`);
}

/** All series of one reading, by family. */
export type Reading = readonly SeriesList[];

/**
 * The series of all tasks. Tasks are read one after the other and written family after family; between the two they are plain
 * lists of numbers, because a thousand readings as objects keep the garbage collector busy, and as text they are ten times as
 * long.
 */
export class TaskSeries {
  readonly #families: readonly FamilySeries[];

  constructor(families: readonly Family<TaskSample>[]) {
    this.#families = families.map((family) => new FamilySeries(family));
  }

  /** Begins a reading, which `read` then adds to; those that were begun before stay as they are. */
  begin(): Reading {
    return this.#families.map((family) => family.begin());
  }

  /** Adds a task; in each family tasks stand in the order of these calls. */
  read(sample: TaskSample, labels: TaskLabels): void {
    for (const family of this.#families) family.read(sample, labels);
  }
}

/** Writes a reading, as often as it is wanted; lets others run between families when a slice of time is used up. */
export async function writeReading(reading: Reading, out: Exposition, slices: Slices): Promise<void> {
  for (const list of reading) {
    list.write(out);
    await slices.rest();
  }
}

/** The series of one family; keeps the bytes of its name and labels from one reading to the next. */
class FamilySeries {
  readonly #family: Family<TaskSample>;
  readonly #name: Buffer;
  readonly #labels: LabelBytes;
  #list: SeriesList;
  #task: TaskLabels = Buffer.alloc(0);

  constructor(family: Family<TaskSample>) {
    this.#family = family;
    this.#name = Buffer.from(family.name);
    this.#labels = new LabelBytes(family.labelNames);
    this.#list = this.begin();
  }

  begin(): SeriesList {
    this.#list = new SeriesList(this.#family, this.#name);
    return this.#list;
  }

  read(sample: TaskSample, labels: TaskLabels): void {
    this.#task = labels;
    this.#family.read(sample, this.#add);
  }

  readonly #add: Add = (value, ...labels) => {
    if (value !== undefined) this.#list.push(this.#task, this.#labels.of(labels), value);
  };
}
