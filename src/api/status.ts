import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import {
  AlreadyExistsError,
  CancelledError,
  DeadlineExceededError,
  FailedPreconditionError,
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  ResourceExhaustedError,
  RunletError,
  UnavailableError,
  UnimplementedError,
  errorCode,
  errorMessage,
  type ErrorCode,
} from '#errors/errors.ts';

/** Our codes as gRPC's; what nobody foresaw is UNKNOWN, as containerd has it. */
const grpcCodes: Readonly<Record<ErrorCode, status>> = {
  'already-exists': status.ALREADY_EXISTS,
  cancelled: status.CANCELLED,
  'deadline-exceeded': status.DEADLINE_EXCEEDED,
  'failed-precondition': status.FAILED_PRECONDITION,
  internal: status.UNKNOWN,
  'invalid-argument': status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  'permission-denied': status.PERMISSION_DENIED,
  'resource-exhausted': status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  unimplemented: status.UNIMPLEMENTED,
};

/** What a client is told of a failure: its code and message, nothing of its insides. */
export function toStatus(error: unknown): Pick<StatusObject, 'code' | 'details'> & { metadata: Metadata } {
  return { code: grpcCodes[errorCode(error)], details: errorMessage(error), metadata: new Metadata() };
}

const classes = new Map<status, new (message: string, context?: { cause?: unknown }) => RunletError>([
  [status.ALREADY_EXISTS, AlreadyExistsError],
  [status.CANCELLED, CancelledError],
  [status.DEADLINE_EXCEEDED, DeadlineExceededError],
  [status.FAILED_PRECONDITION, FailedPreconditionError],
  [status.INVALID_ARGUMENT, InvalidArgumentError],
  [status.NOT_FOUND, NotFoundError],
  [status.PERMISSION_DENIED, PermissionDeniedError],
  [status.RESOURCE_EXHAUSTED, ResourceExhaustedError],
  [status.UNAVAILABLE, UnavailableError],
  [status.UNIMPLEMENTED, UnimplementedError],
]);

/** A server's answer as one of our errors again, on the client's side. */
export function fromStatus(error: unknown): Error {
  if (!isServiceError(error)) return error instanceof Error ? error : new Error(String(error));
  const Known = classes.get(error.code);
  return Known
    ? new Known(error.details, { cause: error })
    : new RunletError('internal', error.details, { cause: error });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}
