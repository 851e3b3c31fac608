const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `500ms`, `10s`, `1m30s`, `2h`; a bare number is seconds. Undefined for what is none. */
export function parseDurationMs(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, number, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    ms += Number(number) * (durationUnitsMs[unit] ?? 0);
  }
  return ms;
}

/** A time for people, in its two largest units as kubectl has it: `45s`, `3m10s`, `2d5h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 8 ? two(days, 'd', hours % 24, 'h') : `${days}d`;
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return `${large}${largeUnit}${small > 0 ? `${small}${smallUnit}` : ''}`;
}

const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Bytes for people, three digits: `512B`, `1.5MiB`, `64MiB`. */
export function formatBytes(bytes: bigint | number): string {
  let value = Number(bytes);
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < binaryUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${String(Number(value.toFixed(digits)))}${binaryUnits[unit]}`;
}

/** Processors for people: `250m`, `1.5`. */
export function formatCores(cores: number): string {
  const milli = Math.round(cores * 1000);
  return milli < 1000 ? `${milli}m` : String(Number(cores.toFixed(2)));
}
