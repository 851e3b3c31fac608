import type { Clock } from '#async/clock.ts';
import { errorCode, errorMessage } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';

export interface LeaderOptions {
  readonly client: KubernetesClient;
  readonly namespace: string;
  /** Name of the Lease (coordination.k8s.io/v1). */
  readonly lease: string;
  /** Who we are, such as the pod's name. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A leader that has not renewed for this long may be followed by another. */
const leaseMs = 15_000;
/** A leader that could not renew for this long gives up by itself: before anybody may take over. */
const renewWithinMs = 10_000;
const lookEveryMs = 2000;

interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly renewTime?: string | null;
  readonly leaseTransitions?: number | null;
}

interface Lease {
  readonly resourceVersion: string;
  readonly spec: LeaseSpec;
}

/**
 * Leads while the others stand by: runs `work` whenever the Lease is ours, and aborts its signal when it is not any more. The
 * times of others are never compared with our clock: a Lease counts as left when it has not changed while we looked for its
 * time. Returns when `signal` aborts, the Lease given back.
 */
export async function lead(
  options: LeaderOptions,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, identity } = options;
  let seen: { readonly version: string; readonly atMs: number } | undefined;
  while (!signal.aborted) {
    try {
      const lease = await readLease(options, signal);
      if (!lease || seen?.version !== lease.resourceVersion) {
        seen = lease && { version: lease.resourceVersion, atMs: clock.monotonicMs() };
      }
      if (mayTake(lease, identity, seen && clock.monotonicMs() - seen.atMs) && (await take(options, lease, signal))) {
        log.info({ identity }, 'leading');
        await hold(options, work, signal);
        log.info({ identity }, 'no longer leading');
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ reason: errorMessage(error), code: errorCode(error) }, 'cannot read or write the Lease; trying again');
    }
    await clock.sleep(lookEveryMs, signal).catch(() => {}); // told to leave
  }
}

function mayTake(lease: Lease | undefined, identity: string, unchangedMs: number | undefined): boolean {
  const holder = lease?.spec.holderIdentity;
  return !lease || !holder || holder === identity || (unchangedMs ?? 0) >= leaseMs;
}

/** Works while the Lease can be renewed. */
async function hold(
  options: LeaderOptions,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = options;
  const stop = new AbortController();
  const leave = () => stop.abort(signal.reason);
  signal.addEventListener('abort', leave, { once: true });
  const working = work(stop.signal).catch((error: unknown) => {
    log.error({ err: error }, 'the controller failed');
    stop.abort(error);
  });
  let renewedMs = clock.monotonicMs();
  while (!stop.signal.aborted && clock.monotonicMs() - renewedMs < renewWithinMs) {
    await clock.sleep(lookEveryMs, stop.signal).catch(() => {}); // told to leave
    if (stop.signal.aborted) break;
    if (await renew(options, stop.signal)) renewedMs = clock.monotonicMs();
  }
  stop.abort(new Error('the Lease was lost'));
  await working;
  signal.removeEventListener('abort', leave);
  if (signal.aborted) await giveBack(options);
}

async function renew(options: LeaderOptions, signal: AbortSignal): Promise<boolean> {
  try {
    const lease = await readLease(options, signal);
    return lease?.spec.holderIdentity === options.identity && (await take(options, lease, signal));
  } catch {
    return false; // it counts when it lasts
  }
}

async function readLease(options: LeaderOptions, signal: AbortSignal): Promise<Lease | undefined> {
  try {
    const { metadata, spec = {} } = (await options.client.get(leasePath(options), { signal })) as {
      readonly metadata: { readonly resourceVersion: string };
      readonly spec?: LeaseSpec;
    };
    return { resourceVersion: metadata.resourceVersion, spec };
  } catch (error) {
    if (errorCode(error) === 'not-found') return undefined;
    throw error;
  }
}

/** Writes our name and the time if nobody wrote since; false when somebody did. */
async function take(options: LeaderOptions, lease: Lease | undefined, signal: AbortSignal): Promise<boolean> {
  const { client, namespace, lease: name, identity, clock } = options;
  const now = new Date(clock.nowMs()).toISOString().replace('Z', '000Z');
  const ours = lease?.spec.holderIdentity === identity;
  const transitions = lease?.spec.leaseTransitions ?? 0;
  const spec = {
    ...{ holderIdentity: identity, leaseDurationSeconds: leaseMs / 1000, renewTime: now },
    ...(ours ? {} : { acquireTime: now, leaseTransitions: lease ? transitions + 1 : 0 }),
  };
  try {
    if (lease) {
      const metadata = { resourceVersion: lease.resourceVersion };
      await client.mergePatch(leasePath(options), { metadata, spec }, { signal });
    } else {
      const object = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec };
      await client.create(leasesPath(namespace), object, { signal });
    }
    return true;
  } catch (error) {
    if (['already-exists', 'failed-precondition'].includes(errorCode(error))) return false;
    throw error;
  }
}

/** Lets another take over at once. */
async function giveBack(options: LeaderOptions): Promise<void> {
  await options.client.mergePatch(leasePath(options), { spec: { holderIdentity: '' } }).catch(() => {}); // it runs out
}

function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
}

function leasePath({ namespace, lease }: LeaderOptions): string {
  return `${leasesPath(namespace)}/${encodeURIComponent(lease)}`;
}
