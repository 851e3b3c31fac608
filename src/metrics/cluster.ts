import { slowBuckets, type Instruments } from './instruments.ts';

const millisecondsASecond = 1000;

/** What the work queue of desired state tells. */
export interface QueueListener {
  depth(keys: number): void;
  added(): void;
  retried(): void;
  waited(ms: number): void;
  worked(ms: number): void;
}

/** Counts what a work queue tells. */
export function queueListener(make: Instruments): QueueListener {
  const depth = make.gauge('runlet_workqueue_depth', 'Objects that wait to be reconciled.');
  const adds = make.counter('runlet_workqueue_adds_total', 'Objects given to the work queue.');
  const retries = make.counter(
    'runlet_workqueue_retries_total',
    'Reconciliations that are tried again after a failure.',
  );
  const wait = make.histogram('runlet_workqueue_wait_seconds', 'Time that objects waited to be reconciled.', {
    buckets: slowBuckets,
  });
  const work = make.histogram('runlet_reconcile_duration_seconds', 'Time that the reconciliation of an object took.', {
    buckets: slowBuckets,
  });
  return {
    depth: (keys) => depth.set(keys),
    added: () => adds.inc(),
    retried: () => retries.inc(),
    waited: (ms) => wait.observe(ms / millisecondsASecond),
    worked: (ms) => work.observe(ms / millisecondsASecond),
  };
}

/** What the API server's client tells. */
export interface ClientListener {
  request(told: { readonly method: string; readonly code: string; readonly durationMs: number }): void;
  watchStarted(resource: string): void;
  watchEnded(resource: string, why: string): void;
  listed(resource: string): void;
  watchEvent(resource: string, type: string): void;
}

/** Counts what the client tells. */
export function clientListener(make: Instruments, nowMs: () => number): ClientListener {
  const requests = make.counter(
    'runlet_api_requests_total',
    'Requests to the API server by the status of the answer; error when there was none.',
    ['method', 'code'],
  );
  const duration = make.histogram('runlet_api_request_duration_seconds', 'Time until the API server answered.', {
    labels: ['method'],
    buckets: slowBuckets,
  });
  const ends = make.counter(
    'runlet_watch_ends_total',
    'Watches of the API server that have ended; timeout is their usual end.',
    ['resource', 'reason'],
  );
  const lists = make.counter('runlet_watch_lists_total', 'Full lists asked of the API server.', ['resource']);
  const events = make.counter('runlet_watch_events_total', 'Events that came on watches.', ['resource', 'type']);
  const heard = make.gauge(
    'runlet_watch_last_event_timestamp_seconds',
    'When the API server was last heard on a watch, in seconds since 1970.',
    ['resource'],
  );
  const hear = (resource: string) => heard.set({ resource }, nowMs() / millisecondsASecond);
  return {
    request: ({ method, code, durationMs }) => {
      requests.inc({ method, code });
      duration.observe({ method }, durationMs / millisecondsASecond);
    },
    watchStarted: hear,
    watchEnded: (resource, reason) => ends.inc({ resource, reason }),
    listed: (resource) => {
      lists.inc({ resource });
      hear(resource);
    },
    watchEvent: (resource, type) => {
      events.inc({ resource, type });
      hear(resource);
    },
  };
}
