import { describe, expect, it } from 'vitest';
import { acceptsGzip, chooseFormat } from './negotiate.ts';

describe('chooseFormat', () => {
  it.each([
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openmetrics',
    ],
    ['text/plain;version=0.0.4;q=0.9, application/openmetrics-text;version=1.0.0;q=0.2', 'text'],
    ['application/openmetrics-text;version=2.0.0', 'text'],
    [
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;q=0.5',
      'text',
    ],
    ['application/openmetrics-text;q=0', 'text'],
    ['*/*', 'text'],
    ['nonsense;;;=', 'text'],
    [undefined, 'text'],
  ])('answers %s with %s', (accept, format) => {
    expect(chooseFormat(accept)).toBe(format);
  });
});

describe('acceptsGzip', () => {
  it.each([
    ['gzip', true],
    ['deflate, gzip;q=0.5', true],
    ['gzip;q=0', false],
    ['*', true],
    ['identity', false],
    [undefined, false],
  ])('%s: %s', (header, accepted) => {
    expect(acceptsGzip(header)).toBe(accepted);
  });
});
