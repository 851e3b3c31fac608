import { Lines } from './lines.ts';

/** Prometheus' text format 0.0.4, or OpenMetrics 1.0. */
export type Format = 'text' | 'openmetrics';

export const contentTypes: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** What is said of a family above its series. */
export interface FamilyHead {
  readonly name: string;
  readonly help: string;
  readonly type: string;
}

/** A whole exposition: families, each with its lines, which are the same in both formats. */
export class Exposition extends Lines {
  readonly format: Format;

  constructor(format: Format, expectedBytes?: number) {
    super(expectedBytes);
    this.format = format;
  }

  /** Begins a family; its series follow. */
  family({ name, help, type }: FamilyHead): void {
    // OpenMetrics names a counter without the suffix that its samples have.
    const base = this.format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
    this.text(`# HELP ${base} ${escapeHelp(help, this.format)}\n# TYPE ${base} ${type}\n`);
  }

  /** Ends the whole; nothing may follow. */
  end(): Buffer {
    if (this.format === 'openmetrics') this.text('# EOF\n');
    return this.written;
  }
}

/** `name="value"`, escaped as both formats want it. */
export function formatLabel(name: string, value: string): string {
  return `${name}="${value.replace(/[\\"\n]/g, (found) => escapes[found] ?? found)}"`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function escapeHelp(help: string, format: Format): string {
  const special = format === 'openmetrics' ? /[\\"\n]/g : /[\\\n]/g;
  return help.replace(special, (found) => escapes[found] ?? found);
}
