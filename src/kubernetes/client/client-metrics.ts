/** What the client tells of itself, for metrics. Calls return at once. */
export interface ClientMetrics {
  /** A request has been answered, or not (`code` is `error` then). */
  request(told: { readonly method: string; readonly code: string; readonly durationMs: number }): void;
  /** A watch has begun to be listened to. */
  watchStarted(resource: string): void;
  /** It has ended: `timeout` is the server's usual end, the others are faults. */
  watchEnded(resource: string, why: WatchEnd): void;
  /** Everything has been listed. */
  listed(resource: string): void;
  /** Events that came on watches, by type. */
  watchEvent(resource: string, type: string): void;
}

export type WatchEnd = 'timeout' | 'expired' | 'silence' | 'cut' | 'refused';

/** Metrics that nobody reads. */
export const noClientMetrics: ClientMetrics = {
  request: () => {},
  watchStarted: () => {},
  watchEnded: () => {},
  listed: () => {},
  watchEvent: () => {},
};
