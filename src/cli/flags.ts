import { InvalidArgumentError } from '#errors/errors.ts';
import { parseDurationMs } from './output/units.ts';

/** The values of a command's flags, checked when they are asked for; a wrong one is an InvalidArgumentError naming the flag. */
export class Flags {
  readonly #values: Readonly<Record<string, unknown>>;

  /** `values` by the flags' long names in camelCase. */
  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  is(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** Every value of a flag that may be repeated. */
  texts(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  /** A whole number that is not negative. */
  count(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
      throw new InvalidArgumentError(`${longName(name)} must be a whole number that is not negative, not "${text}"`);
    }
    return value;
  }

  /** Milliseconds of `500ms`, `10s`, `1m30s`, `2h`; a bare number is seconds. */
  durationMs(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const ms = parseDurationMs(text);
    if (ms === undefined) {
      throw new InvalidArgumentError(`${longName(name)} must be a time such as 500ms, 10s or 1m30s, not "${text}"`);
    }
    return ms;
  }
}

/** The flag of a camelCase name: `--grace-period`. */
export function longName(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
