import { describe, expect, it } from 'vitest';
import { formatBytes, formatCores, formatDuration, parseDurationMs } from './units.ts';

describe('a time on the command line', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['2h', 7_200_000],
    ['1.5s', 1500],
    ['7', 7000],
    ['0', 0],
  ])('reads %s', (text, ms) => expect(parseDurationMs(text)).toBe(ms));

  it.each(['', 's', '10 s', '-1s', '1x', '1m30', '1e3s'])('refuses "%s"', (text) =>
    expect(parseDurationMs(text)).toBeUndefined(),
  );
});

describe('a time for people', () => {
  it.each([
    [0, '0s'],
    [-5, '0s'],
    [119_999, '119s'],
    [190_000, '3m10s'],
    [180_000, '3m'],
    [3_600_000, '60m'],
    [3 * 3_600_000 + 60_000, '3h1m'],
    [30 * 3_600_000, '30h'],
    [53 * 3_600_000, '2d5h'],
    [30 * 86_400_000, '30d'],
  ])('writes %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe('bytes for people', () => {
  it.each([
    [0n, '0B'],
    [999n, '999B'],
    [1000n, '0.98KiB'],
    [1536n, '1.5KiB'],
    [67_108_864n, '64MiB'],
    [1_073_741_824n, '1GiB'],
    [2n ** 63n, '8EiB'],
  ])('writes %d as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('processors for people', () => {
  it.each([
    [0, '0m'],
    [0.25, '250m'],
    [1, '1'],
    [1.5, '1.5'],
    [12.345, '12.35'],
  ])('writes %d as %s', (cores, text) => expect(formatCores(cores)).toBe(text));
});
