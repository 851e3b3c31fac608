/** Which lines of a log a message asks for. */
interface Asked {
  readonly follow: boolean;
  readonly attempt?: number | undefined;
  /** Milliseconds since 1970; 0 is not asked for. */
  readonly sinceMs: bigint;
  readonly tail?: number | undefined;
}

/** Nothing stands in it of what is not asked for. */
interface LogChoice {
  readonly follow: boolean;
  readonly attempt?: number;
  readonly sinceMs?: number;
  readonly tail?: number;
}

/** The same with nothing in the place of what is not asked for. */
export function toLogChoice({ follow, attempt, sinceMs, tail }: Asked): LogChoice {
  return {
    follow,
    ...(attempt === undefined ? {} : { attempt }),
    ...(sinceMs === 0n ? {} : { sinceMs: Number(sinceMs) }),
    ...(tail === undefined ? {} : { tail }),
  };
}
