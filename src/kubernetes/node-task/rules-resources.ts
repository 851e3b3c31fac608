import { errorMessage } from '#errors/errors.ts';
import type { Problem } from './problem.ts';
import { parseBytes, parseMilliCpu, parseQuantity } from './quantity.ts';
import type { QuantityText, Resources } from './types.ts';

const path = 'spec.resources';

/** The rules of resources that need no look at the node. */
export function resourceProblems(resources: Resources): readonly Problem[] {
  const limits = resources.limits ?? {};
  const requests = resources.requests ?? {};
  return [
    ...Object.entries(limits).flatMap(([name, value]) => at(`${path}.limits`, name, limitRule(name, value))),
    ...Object.entries(requests).flatMap(([name, value]) =>
      at(`${path}.requests`, name, requestRule(name, value, limits)),
    ),
    ...single('memoryHigh', resources.memoryHigh, limits),
    ...single('memorySwap', resources.memorySwap, limits),
    ...rangeProblems('cpus', resources.cpuset?.cpus),
    ...rangeProblems('mems', resources.cpuset?.mems),
    ...deviceProblems(resources),
  ];
}

type Quantities = Readonly<Record<string, QuantityText>>;

function at(parent: string, name: string, rule: string | undefined): readonly Problem[] {
  return rule ? [{ path: `${parent}.${name}`, rule }] : [];
}

function limitRule(name: string, value: QuantityText): string | undefined {
  if (name === 'cpu') return atLeast(value, parseMilliCpu, '1m');
  if (name === 'memory') return atLeast(value, parseBytes, '1');
  if (name === 'pids') return atLeast(value, parseBytes, '1');
  if (/^hugepages-\S+$/.test(name)) return hugepageRule(name, value);
  return 'is no known resource: cpu, memory, pids and hugepages-SIZE are';
}

function hugepageRule(name: string, value: QuantityText): string | undefined {
  return attempt(() => {
    const pageSize = parseBytes(name.slice('hugepages-'.length));
    if (pageSize <= 0n) return 'must name a page size, such as hugepages-2Mi';
    const bytes = parseBytes(value);
    return bytes >= 0n && bytes % pageSize === 0n ? undefined : 'must be a multiple of its page size';
  });
}

function requestRule(name: string, value: QuantityText, limits: Quantities): string | undefined {
  if (name !== 'cpu' && name !== 'memory') return 'is no known request: cpu and memory are';
  const limit = limits[name];
  return attempt(() => {
    const asked = parseQuantity(value, 3);
    if (asked < 0n) return 'must not be negative';
    return limit !== undefined && asked > parseQuantity(limit, 3) ? 'must not be more than its limit' : undefined;
  });
}

function single(
  field: 'memoryHigh' | 'memorySwap',
  value: QuantityText | undefined,
  limits: Quantities,
): readonly Problem[] {
  if (value === undefined) return [];
  const rule = attempt(() => {
    const bytes = parseBytes(value);
    const limit = limits['memory'];
    if (bytes < 0n) return 'must not be negative';
    if (field === 'memorySwap') return limit === undefined ? 'needs limits.memory beside it' : undefined;
    if (bytes === 0n) return 'must be more than 0';
    return limit !== undefined && bytes > parseBytes(limit) ? 'must not be more than limits.memory' : undefined;
  });
  return at(path, field, rule);
}

function rangeProblems(field: 'cpus' | 'mems', value: string | undefined): readonly Problem[] {
  const backwards = value?.split(',').some((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return last < first;
  });
  return backwards ? [{ path: `${path}.cpuset.${field}`, rule: 'has a range that ends before it begins' }] : [];
}

function deviceProblems(resources: Resources): readonly Problem[] {
  const devices = resources.io?.devices ?? [];
  const numbers = devices.map((device) => device.device);
  return devices.flatMap((device, index) => {
    const where = `${path}.io.devices[${index}]`;
    if (numbers.indexOf(device.device) !== index) {
      return [{ path: `${where}.device`, rule: 'is named twice: put its limits together' }];
    }
    return Object.keys(device).length > 1
      ? []
      : [{ path: where, rule: 'must have one of readBytesPerSecond and the like' }];
  });
}

/** At least one of the units that `parse` counts in. */
function atLeast(value: QuantityText, parse: (value: QuantityText) => bigint, unit: string): string | undefined {
  return attempt(() => (parse(value) < 1n ? `must be at least ${unit}` : undefined));
}

function attempt(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (error) {
    return errorMessage(error);
  }
}
