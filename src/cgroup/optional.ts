/** Applies a function to what is there. */
export function map<T, U>(value: T | undefined, to: (value: T) => U): U | undefined {
  return value === undefined ? undefined : to(value);
}

/** A difference of two readings made one after the other, which may be below zero by the time between them. */
export function atLeastZero(value: bigint): bigint {
  return value > 0n ? value : 0n;
}
