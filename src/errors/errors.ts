/** What a caller can do about a failure. `api/status.ts` maps each code to a gRPC status, once. */
export type ErrorCode =
  | 'already-exists'
  | 'cancelled'
  | 'deadline-exceeded'
  | 'failed-precondition'
  | 'internal'
  | 'invalid-argument'
  | 'not-found'
  | 'permission-denied'
  | 'resource-exhausted'
  | 'unavailable'
  | 'unimplemented';

export interface ErrorContext {
  readonly cause?: unknown;
  /** Facts for a log line: never secrets, environments or whole specifications. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The root of every error that runlet throws on purpose: lower-case message, what was tried on what, then why not. */
export class RunletError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, 'cause' in context ? { cause: context.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.details = context.details ?? {};
  }
}

/** The request itself is wrong; it names the field and the rule. Trying again cannot help. */
export class InvalidArgumentError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('invalid-argument', message, context);
  }
}

/** What was named is not there. */
export class NotFoundError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('not-found', message, context);
  }
}

/** What was to be made is there already. */
export class AlreadyExistsError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('already-exists', message, context);
  }
}

/** The thing is not in a state that allows this. */
export class FailedPreconditionError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('failed-precondition', message, context);
  }
}

/** The caller may not do this. */
export class PermissionDeniedError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('permission-denied', message, context);
  }
}

/** A bound was reached: disk, memory, a queue. */
export class ResourceExhaustedError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('resource-exhausted', message, context);
  }
}

/** A neighbour is away for now; trying again may help. */
export class UnavailableError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('unavailable', message, context);
  }
}

/** This build, runtime or kernel cannot do it. */
export class UnimplementedError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('unimplemented', message, context);
  }
}

/** The time given was not enough. */
export class DeadlineExceededError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('deadline-exceeded', message, context);
  }
}

/** The caller went away. */
export class CancelledError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('cancelled', message, context);
  }
}

/** A text that should follow a format does not: a kernel file, a program's output, a file on disk. */
export class MalformedError extends RunletError {
  constructor(message: string, context?: ErrorContext) {
    super('internal', message, context);
  }
}

/** A program failed: keeps its argv, how it ended and the end of what it said. */
export class CommandFailedError extends RunletError {
  readonly argv: readonly string[];
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** The last 4 KiB of standard error. */
  readonly stderr: string;

  constructor(failure: {
    readonly argv: readonly string[];
    readonly exitCode?: number | undefined;
    readonly signal?: string | undefined;
    readonly stderr: string;
    readonly cause?: unknown;
  }) {
    const how = failure.signal ? `killed by ${failure.signal}` : `exit code ${failure.exitCode ?? 'unknown'}`;
    super('internal', `${failure.argv[0]} failed: ${failure.stderr.trim() || how}`, {
      cause: failure.cause,
      details: { argv: failure.argv, exitCode: failure.exitCode, signal: failure.signal },
    });
    this.argv = failure.argv;
    this.exitCode = failure.exitCode;
    this.signal = failure.signal;
    this.stderr = failure.stderr;
  }
}

/** A failure that another try cannot mend: the reconciler reports it and waits for the object to change. */
export class TerminalError extends RunletError {
  /** The condition's reason, in CamelCase, such as `InvalidSpec`. */
  readonly reason: string;

  constructor(reason: string, message: string, context?: ErrorContext) {
    super('failed-precondition', message, context);
    this.reason = reason;
  }
}

/** The code of a thrown value: of ours as it says, of any other `internal`. */
export function errorCode(error: unknown): ErrorCode {
  return error instanceof RunletError ? error.code : 'internal';
}

/** The message of a thrown value, whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a thrown value is a Node system error with one of these codes, such as `ENOENT`. */
export function isErrno(error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
