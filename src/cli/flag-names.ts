import type { Flag } from './command.ts';

/** The parts of a flag: `-s, --signal <signal>`. */
export interface FlagNames {
  readonly short?: string;
  readonly long: string;
  /** Whether a value follows. */
  readonly takesValue: boolean;
}

/** Takes a flag's usage apart. */
export function flagNames({ flags }: Flag): FlagNames {
  const short = /(?:^|\s)(-[A-Za-z])\b/.exec(flags)?.[1];
  const long = /--[a-z-]+/.exec(flags)?.[0] ?? '';
  return { long, takesValue: flags.includes('<'), ...(short === undefined ? {} : { short }) };
}

/** Its names as they are typed. */
export function namesOf(flag: Flag): readonly string[] {
  const { short, long } = flagNames(flag);
  return short === undefined ? [long] : [short, long];
}
