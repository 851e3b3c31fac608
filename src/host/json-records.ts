import { dirname, join } from 'node:path';
import { MalformedError } from '#errors/errors.ts';
import { flushFolder, listNames, makeFolder, readText, removeFile, writeDurable } from './files.ts';

/**
 * Records kept as JSON files `<folder>/<key>.json`; a key may hold slashes, which become folders. What is put outlives a
 * loss of power. A file that is no JSON is reported and left alone.
 */
export class JsonRecords<T> {
  readonly #folder: string;
  readonly #onMalformed: (error: MalformedError) => void;

  constructor(folder: string, onMalformed: (error: MalformedError) => void) {
    this.#folder = folder;
    this.#onMalformed = onMalformed;
  }

  async load(): Promise<readonly T[]> {
    return await this.#loadFrom(this.#folder);
  }

  async put(key: string, value: T): Promise<void> {
    const path = this.#path(key);
    await makeFolder(dirname(path), 0o700);
    await writeDurable(path, JSON.stringify(value));
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    await removeFile(path);
    await flushFolder(dirname(path)).catch(() => {}); // no folder: there was nothing to remove
  }

  #path(key: string): string {
    return join(this.#folder, `${key}.json`);
  }

  async #loadFrom(folder: string): Promise<T[]> {
    const values: T[] = [];
    for (const name of await listNames(folder)) {
      const path = join(folder, name);
      if (name.startsWith('.')) continue;
      if (!name.endsWith('.json')) values.push(...(await this.#loadFrom(path)));
      else values.push(...this.#parse(path, await readText(path)));
    }
    return values;
  }

  #parse(path: string, text: string | undefined): T[] {
    if (text === undefined) return [];
    try {
      return [JSON.parse(text) as T];
    } catch (error) {
      this.#onMalformed(new MalformedError(`${path} is not JSON`, { cause: error }));
      return [];
    }
  }
}
