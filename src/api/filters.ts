import { InvalidArgumentError } from '#errors/errors.ts';

/** Gives the text of a field by its path; undefined where the object has none. */
export type FieldOf = (path: readonly string[]) => string | undefined;

/** Whether an object is meant. */
export type Matches = (fieldOf: FieldOf) => boolean;

interface Selector {
  readonly path: readonly string[];
  readonly operator?: '==' | '!=' | '~=';
  readonly value: string;
}

/**
 * containerd's filters: any of the list matches, all selectors of one must. `field.path==value`, `!=`, `~=` (a regular
 * expression found anywhere), or the path alone for a field that is there. No filter is everything. Throws
 * InvalidArgumentError.
 */
export function parseFilters(filters: readonly string[]): Matches {
  const parsed = filters.map((filter) => new FilterParser(filter).parse());
  if (parsed.length === 0) return () => true;
  return (fieldOf) => parsed.some((selectors) => selectors.every((selector) => matches(selector, fieldOf)));
}

function matches({ path, operator, value }: Selector, fieldOf: FieldOf): boolean {
  const actual = fieldOf(path);
  if (operator === undefined) return actual !== undefined;
  if (operator === '~=') return new RegExp(value, 'u').test(actual ?? '');
  return (actual === value) === (operator === '==');
}

/** Reads one filter from left to right. */
class FilterParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): readonly Selector[] {
    const selectors: Selector[] = [];
    this.#skipSpaces();
    if (this.#at === this.#text.length) return selectors;
    for (;;) {
      selectors.push(this.#selector());
      if (this.#at === this.#text.length) return selectors;
      if (!this.#take(/,/y)) this.#fail('expected a comma');
      this.#skipSpaces();
    }
  }

  #selector(): Selector {
    const path = [this.#field()];
    while (this.#take(/\./y)) path.push(this.#field());
    const operator = this.#take(/==|!=|~=/y) as Selector['operator'];
    if (operator === undefined) {
      const next = this.#text[this.#at];
      if (next !== undefined && next !== ',') this.#fail(`unsupported operator "${next}"`);
      return { path, value: '' };
    }
    const value = this.#value(operator === '~=');
    if (operator === '~=') this.#checkExpression(value);
    return { path, operator, value };
  }

  #field(): string {
    const quoted = this.#take(/"(?:[^"\\]|\\.)*"/y);
    if (quoted !== undefined) return unquote(quoted);
    return this.#take(/[A-Za-z0-9_]+/y) ?? this.#fail('expected a field');
  }

  #value(isExpression: boolean): string {
    const quoted = this.#take(/"(?:[^"\\]|\\.)*"/y);
    if (quoted !== undefined) return unquote(quoted);
    const delimited = isExpression ? (this.#take(/\/[^/]*\//y) ?? this.#take(/\|[^|]*\|/y)) : undefined;
    if (delimited !== undefined) return delimited.slice(1, -1);
    if (/["/|]/.test(this.#text[this.#at] ?? '')) this.#fail('invalid quote encountered');
    return this.#take(/[^\s,]+/y) ?? '';
  }

  #checkExpression(value: string): void {
    try {
      new RegExp(value, 'u').test('');
    } catch {
      this.#fail('invalid regular expression');
    }
  }

  #skipSpaces(): void {
    this.#take(/\s+/y);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #fail(why: string): never {
    const marked = `${this.#text.slice(0, this.#at)} >|${this.#text[this.#at] ?? ''}|< ${this.#text.slice(this.#at + 1)}`;
    throw new InvalidArgumentError(`filters: parse error: [${marked}]: ${why}: invalid argument`);
  }
}

const namedEscapes: Readonly<Record<string, string>> = {
  ...{ a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
};

/** A text in double quotes with Go's escapes; what follows any other backslash stands for itself. */
function unquote(text: string): string {
  const escape = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3})|(.))/g;
  return text.slice(1, -1).replaceAll(escape, (_, hex?: string, unicode?: string, octal?: string, other = '') => {
    const digits = hex ?? unicode;
    if (digits !== undefined) return String.fromCodePoint(Number.parseInt(digits, 16));
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    return namedEscapes[other] ?? other;
  });
}
