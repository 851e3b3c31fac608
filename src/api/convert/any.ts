import { InvalidArgumentError } from '#errors/errors.ts';
import type { TypedValue } from '#task/containers.ts';
import type { Any } from '../gen/google/protobuf/any.ts';

/** Protobuf's Any as records keep it. */
export function fromAny(any: Any): TypedValue {
  return { typeUrl: any.typeUrl, value: Buffer.from(any.value).toString('base64') };
}

/** And back. */
export function toAny(value: TypedValue): Any {
  return { typeUrl: value.typeUrl, value: Buffer.from(value.value, 'base64') };
}

/** A message of a known type as Any: containerd names types without a prefix. */
export function packAny<T>(typeUrl: string, type: { encode(message: T): { finish(): Uint8Array } }, message: T): Any {
  return { typeUrl, value: Buffer.from(type.encode(message).finish()) };
}

/** The JSON that an Any holds. Throws InvalidArgumentError naming what it was to be. */
export function parseJsonAny(any: Any | undefined, what: string): unknown {
  if (!any || any.value.length === 0) throw new InvalidArgumentError(`${what} is missing: invalid argument`);
  try {
    return JSON.parse(Buffer.from(any.value).toString('utf8'));
  } catch (error) {
    throw new InvalidArgumentError(`${what} is not JSON: invalid argument`, { cause: error });
  }
}
