import { InvalidArgumentError } from '#errors/errors.ts';

/** Decimal digits, a suffix of powers of two or ten, or an exponent: Kubernetes' grammar of quantities. */
const grammar = /^([+-]?)(\d+\.?\d*|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?$/;

const binary: Readonly<Record<string, bigint>> = {
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
  Ei: 2n ** 60n,
};

const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** Past this a number is a mistake, and its digits would cost memory: Kubernetes keeps quantities below 2^63. */
const maxExponent = 100;
const maxUnits = 2n ** 63n - 1n;

/**
 * Reads a quantity in units of 10^-digits, rounded away from zero as Kubernetes does: `parseQuantity('1.5Ki')` is 1536n,
 * `parseQuantity('500m', 3)` is 500n. Throws InvalidArgumentError for what is no quantity or does not fit in 63 bits.
 */
export function parseQuantity(quantity: string | number, digits = 0): bigint {
  const match = grammar.exec(String(quantity));
  const [, sign, number, suffix = ''] = match ?? [];
  if (number === undefined) {
    throw new InvalidArgumentError(
      `"${quantity}" is no quantity: write a number with a suffix such as 500m, 64Mi or 1G`,
    );
  }
  const [whole = '', fraction = ''] = number.split('.');
  const mantissa = BigInt(`${whole}${fraction}` || '0') * (binary[suffix] ?? 1n);
  const exponent = exponentOf(suffix) - fraction.length + digits;
  const units = mantissa === 0n ? 0n : scale(mantissa, exponent);
  if (units > maxUnits) throw new InvalidArgumentError(`quantity "${quantity}" is too large: the highest is 2^63-1`);
  return sign === '-' ? -units : units;
}

function exponentOf(suffix: string): number {
  if (/^[eE]./.test(suffix)) return Number(suffix.slice(1));
  return decimal[suffix] ?? 0;
}

/** Rounded away from zero, as Kubernetes rounds what has more digits than it keeps. */
function scale(mantissa: bigint, exponent: number): bigint {
  if (exponent > maxExponent) return maxUnits + 1n;
  if (exponent >= 0) return mantissa * 10n ** BigInt(exponent);
  if (-exponent > mantissa.toString().length) return 1n;
  const divisor = 10n ** BigInt(-exponent);
  return (mantissa + divisor - 1n) / divisor;
}

/** Bytes of a quantity, rounded up. */
export function parseBytes(quantity: string | number): bigint {
  return parseQuantity(quantity);
}

/** Thousandths of a processor, rounded up. */
export function parseMilliCpu(quantity: string | number): bigint {
  return parseQuantity(quantity, 3);
}

/** The shortest way to write bytes exactly: `64Mi`, `1536`. */
export function formatBytes(bytes: bigint): string {
  const suffix = Object.keys(binary)
    .toReversed()
    .find((name) => bytes !== 0n && bytes % (binary[name] ?? 1n) === 0n);
  return suffix ? `${bytes / (binary[suffix] ?? 1n)}${suffix}` : String(bytes);
}

/** Processors as people write them: `2`, `500m`. */
export function formatMilliCpu(milliCpu: bigint): string {
  return milliCpu % 1000n === 0n ? String(milliCpu / 1000n) : `${milliCpu}m`;
}
