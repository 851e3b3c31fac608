import type { Format } from './exposition.ts';

interface Choice {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/**
 * The format that a scraper's `Accept` header likes best; text where it names none of ours, since every scraper reads that.
 * OpenMetrics wins a draw: it is named first by those that know it.
 */
export function chooseFormat(accept: string | undefined): Format {
  let best: { format: Format; quality: number } = { format: 'text', quality: 0 };
  for (const choice of parseChoices(accept ?? '')) {
    const format = formatOf(choice);
    if (format && choice.quality > best.quality) best = { format, quality: choice.quality };
  }
  return best.format;
}

/** Whether the answer may be compressed with gzip. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  return parseChoices(acceptEncoding ?? '').some(
    ({ type, quality }) => (type === 'gzip' || type === '*') && quality > 0,
  );
}

const openMetricsVersions: ReadonlySet<string | undefined> = new Set([undefined, '0.0.1', '1.0.0']);

function formatOf({ type, parameters }: Choice): Format | undefined {
  if (type === 'application/openmetrics-text') {
    return openMetricsVersions.has(parameters.get('version')) ? 'openmetrics' : undefined;
  }
  return type === 'text/plain' || type === 'text/*' || type === '*/*' ? 'text' : undefined;
}

function parseChoices(header: string): readonly Choice[] {
  return header.split(',').flatMap((part) => {
    const [type = '', ...rest] = part.split(';').map((piece) => piece.trim());
    const parameters = new Map(
      rest.map((pair) => {
        const [name = '', value = ''] = pair.split('=');
        return [name.trim().toLowerCase(), value.trim().replaceAll('"', '')];
      }),
    );
    const quality = Number(parameters.get('q') ?? 1);
    return type === '' || !Number.isFinite(quality) ? [] : [{ type: type.toLowerCase(), parameters, quality }];
  });
}
