import { Random } from './random.ts';

export interface SoakOptions {
  /** How many names of NodeTasks there are; at any time most of them have an object. */
  readonly tasks: number;
  readonly minutes: number;
  readonly seed: number;
  /** Whether somebody else kills tasks and monitors, too. */
  readonly kill?: boolean;
}

/** How often an agent is killed, milliseconds of its life. */
const agentLifeMs = { least: 4000, most: 9000 };
/** Some agents are killed before they serve. */
const youngDeaths = { probability: 0.25, mostMs: 2000 };
/** The API server is killed once in this time. */
const serverLifeMs = 60_000;
const serverAwayMs = { least: 2000, most: 15_000 };
/** Changes a second; a node that does more does nothing else. */
const mostChangesASecond = 8;

/** What a task's program does: it ends by itself after `seconds` with `code`; 0: never. */
export interface Life {
  readonly seconds: number;
  readonly code: number;
}

export type RunState = 'Created' | 'Running' | 'Paused' | 'Stopped';

/** Limits as spec.resources writes them. */
export interface Limits {
  readonly cpu?: string;
  readonly memory?: string;
  readonly pids?: string;
}

/** The parts of a spec that the soak changes. */
export interface Wish {
  readonly runState: RunState;
  readonly life: Life;
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
  readonly limits: Limits;
  /** Seconds; absent: its object stays. */
  readonly ttl?: number;
  readonly graceSeconds: number;
  /** Whether its program ends at TERM. */
  readonly obeys: boolean;
}

/** A change of one name's object; without an object each makes one of `wish`. */
export type Change =
  | { readonly kind: 'runState'; readonly runState: RunState; readonly wish: Wish }
  | { readonly kind: 'resources'; readonly limits: Limits; readonly wish: Wish }
  /** Another program, other arguments: another run. */
  | { readonly kind: 'replace'; readonly life: Life; readonly rootfs: number; readonly wish: Wish }
  | { readonly kind: 'restart'; readonly wish: Wish }
  | { readonly kind: 'delete'; readonly wish: Wish }
  /** Takes the finalizer off by hand, so that the object goes before its task does, and makes a namesake. */
  | { readonly kind: 'usurp'; readonly wish: Wish }
  /** Somebody else kills what runs, or only its monitor. */
  | { readonly kind: 'kill' | 'orphan'; readonly wish: Wish };

export interface Step {
  readonly atMs: number;
  readonly name: string;
  readonly change: Change;
}

/** How long an agent lives, from its start or, when it is to serve before, from then. */
export interface Death {
  readonly afterMs: number;
  readonly young: boolean;
}

/** All that a soak does, decided beforehand: the same for the same options. */
export interface Plan {
  readonly steps: readonly Step[];
  /** One after the other; the last ones may not be needed. */
  readonly deaths: readonly Death[];
  readonly outages: readonly { readonly atMs: number; readonly forMs: number }[];
}

export function planSoak({ tasks, minutes, seed, kill = false }: SoakOptions): Plan {
  const random = new Random(seed);
  const wholeMs = minutes * 60_000;
  return {
    steps: planSteps(new Random(random.whole(0, 2 ** 31)), { tasks, wholeMs, kill }),
    deaths: planDeaths(new Random(random.whole(0, 2 ** 31)), wholeMs),
    outages: planOutages(new Random(random.whole(0, 2 ** 31)), wholeMs),
  };
}

function planSteps(
  random: Random,
  { tasks, wholeMs, kill }: { readonly tasks: number; readonly wholeMs: number; readonly kill: boolean },
): readonly Step[] {
  const names = Array.from({ length: tasks }, (_, index) => `t${index}`);
  const first = names.map((name) => ({
    atMs: random.between(0, wholeMs / 4),
    name,
    change: { kind: 'restart', wish: planWish(random) } as const,
  }));
  const count = Math.round((Math.min(mostChangesASecond, tasks / 6) * wholeMs) / 1000);
  const later = Array.from({ length: count }, () => ({
    atMs: random.between(wholeMs / 20, wholeMs),
    name: random.pick(names),
    change: planChange(random, kill),
  }));
  return [...first, ...later].toSorted((left, right) => left.atMs - right.atMs);
}

function planChange(random: Random, kill: boolean): Change {
  const wish = planWish(random);
  const usual = { runState: 40, resources: 20, replace: 15, restart: 7, delete: 15, usurp: 3 };
  const kind = random.weighted({ ...usual, kill: kill ? 5 : 0, orphan: kill ? 2 : 0 });
  switch (kind) {
    case 'runState':
      return { kind, runState: random.weighted({ Running: 45, Paused: 30, Stopped: 20, Created: 5 }), wish };
    case 'resources':
      return { kind, limits: planLimits(random), wish };
    case 'replace':
      return { kind, life: planLife(random), rootfs: random.whole(0, 1), wish };
    case 'restart':
    case 'delete':
    case 'usurp':
    case 'kill':
    case 'orphan':
      return { kind, wish };
  }
}

function planWish(random: Random): Wish {
  const restartPolicy = random.weighted({ Always: 60, OnFailure: 20, Never: 20 });
  return {
    runState: random.weighted({ Running: 75, Created: 10, Paused: 10, Stopped: 5 }),
    life: planLife(random),
    restartPolicy,
    limits: planLimits(random),
    ...(restartPolicy !== 'Always' && random.chance(0.3) ? { ttl: random.whole(0, 5) } : {}),
    graceSeconds: random.whole(0, 3),
    obeys: random.chance(0.8),
  };
}

function planLife(random: Random): Life {
  if (random.chance(0.6)) return { seconds: 0, code: 0 };
  return { seconds: random.whole(1, 20), code: random.chance(0.5) ? 0 : 3 };
}

function planLimits(random: Random): Limits {
  return {
    ...(random.chance(0.5) ? { cpu: `${random.whole(1, 20) * 100}m` } : {}),
    ...(random.chance(0.5) ? { memory: `${random.whole(16, 128)}Mi` } : {}),
    ...(random.chance(0.5) ? { pids: String(random.whole(20, 200)) } : {}),
  };
}

function planDeaths(random: Random, wholeMs: number): readonly Death[] {
  return Array.from({ length: Math.ceil(wholeMs / 500) }, () =>
    random.chance(youngDeaths.probability)
      ? { young: true, afterMs: random.between(0, youngDeaths.mostMs) }
      : { young: false, afterMs: random.between(agentLifeMs.least, agentLifeMs.most) },
  );
}

function planOutages(random: Random, wholeMs: number): Plan['outages'] {
  const count = Math.max(1, Math.floor(wholeMs / serverLifeMs));
  const each = wholeMs / count;
  return Array.from({ length: count }, (_, index) => {
    const forMs = Math.min(random.between(serverAwayMs.least, serverAwayMs.most), each / 3);
    return { atMs: index * each + random.between(each / 5, each - forMs), forMs };
  });
}
