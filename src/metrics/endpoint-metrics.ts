import type { Instruments } from './instruments.ts';

const millisecondsASecond = 1000;

/** What the endpoint tells of itself. */
export interface EndpointListener {
  /** A request for /metrics was answered. */
  answered(status: number): void;
  /** Certificate, key and client authorities were read, at the start or after they were replaced. */
  certificateLoad(result: 'loaded' | 'failed'): void;
  /** When what was read ends, milliseconds since 1970. */
  certificateExpires(use: 'server' | 'client-ca', atMs: number): void;
}

/** Of an endpoint whose numbers nobody asks for. */
export const noEndpointMetrics: EndpointListener = {
  answered: () => {},
  certificateLoad: () => {},
  certificateExpires: () => {},
};

/** Counts what the endpoint tells. */
export function endpointListener(make: Instruments): EndpointListener {
  const answers = make.counter('runlet_scrape_answers_total', 'Requests for /metrics by the status of the answer.', [
    'code',
  ]);
  const loads = make.counter(
    'runlet_certificate_loads_total',
    'Readings of the certificate, key and client authorities of the metrics endpoint; after one that failed the old ones go on.',
    ['result'],
  );
  const expiry = make.gauge(
    'runlet_certificate_expiry_timestamp_seconds',
    'When the certificate of the metrics endpoint (server) or the first of its client authorities (client-ca) ends, in seconds since 1970.',
    ['use'],
  );
  return {
    answered: (status) => answers.inc({ code: String(status) }),
    certificateLoad: (result) => loads.inc({ result }),
    certificateExpires: (use, atMs) => expiry.set({ use }, atMs / millisecondsASecond),
  };
}
