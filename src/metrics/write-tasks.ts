import { refKey, type TaskRef } from '#task/ids.ts';
import type { TaskSample } from './container/sample.ts';
import { formatLabel, type Exposition } from './exposition.ts';
import type { Family } from './row.ts';
import type { Slices } from './slices.ts';

/** Bounds the label texts kept of one family: device and interface names may come and go for ever. */
const keptLabels = 2_000;

/** Writes the families of all tasks; keeps the bytes of names and labels from one scrape to the next. */
export class TaskWriter {
  readonly #families: readonly {
    readonly family: Family<TaskSample>;
    readonly name: Buffer;
    readonly labels: LabelBytes;
  }[];
  #tasks = new Map<string, Buffer>();

  constructor(families: readonly Family<TaskSample>[]) {
    this.#families = families.map((family) => ({
      family,
      name: Buffer.from(family.name),
      labels: new LabelBytes(family.labelNames),
    }));
  }

  /** Lets others run between families when a slice of time is used up. */
  async write(samples: readonly TaskSample[], out: Exposition, slices: Slices): Promise<void> {
    const prefixes = this.#prefixes(samples);
    for (const { family, name, labels } of this.#families) {
      let begun = false;
      let prefix: Buffer | undefined;
      const add: Parameters<typeof family.read>[1] = (value, ...values) => {
        if (value === undefined || !prefix) return;
        if (!begun) out.family(family);
        begun = true;
        out.bytes(name);
        out.bytes(prefix);
        out.bytes(labels.of(values));
        if (family.inMicroseconds) out.microseconds(value);
        else out.value(value);
      };
      for (const [index, sample] of samples.entries()) {
        prefix = prefixes[index];
        family.read(sample, add);
      }
      await slices.rest();
    }
  }

  #prefixes(samples: readonly TaskSample[]): readonly Buffer[] {
    const next = new Map<string, Buffer>();
    const prefixes = samples.map(({ ref }) => {
      const key = refKey(ref);
      const bytes = this.#tasks.get(key) ?? taskLabels(ref);
      next.set(key, bytes);
      return bytes;
    });
    this.#tasks = next;
    return prefixes;
  }
}

function taskLabels({ namespace, id }: TaskRef): Buffer {
  return Buffer.from(`{${formatLabel('namespace', namespace)},${formatLabel('task', id)}`);
}

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
