/** A time as Kubernetes writes it, whole seconds of UTC: `2026-11-24T02:02:23Z`. */
export function toTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
