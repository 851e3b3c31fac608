import type { DeviceCgroupRule } from './runtime-spec.ts';

/** Character devices that every container may use, by number (Linux's devices.txt). */
const usual: readonly (readonly [major: number, minor?: number])[] = [
  [1, 3], // null
  [1, 5], // zero
  [1, 7], // full
  [1, 8], // random
  [1, 9], // urandom
  [5, 0], // tty
  [5, 1], // console
  [5, 2], // ptmx
  [136], // pts/*
];

/** Nothing but the usual devices; any node may be made, because making one gives no access to it. */
export const defaultDeviceRules: readonly DeviceCgroupRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...usual.map(usualRule),
];

function usualRule([major, minor]: readonly [major: number, minor?: number]): DeviceCgroupRule {
  return { allow: true, type: 'c', major, ...(minor === undefined ? {} : { minor }), access: 'rwm' };
}

/** For privileged containers. */
export const everyDevice: readonly DeviceCgroupRule[] = [{ allow: true, access: 'rwm' }];
