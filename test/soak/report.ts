import type { SoakFigures } from './soak.ts';

/** One line of figures. */
export function describeFigures(figures: SoakFigures): string {
  const { changes, agents, serverKills, starts, ends, settledAfterMs, emptyAfterMs, settled, empty } = figures;
  const changed = Object.entries(changes).map(([kind, count]) => `${kind} ${count}`);
  return [
    `changes: ${changed.join(', ')}`,
    `starts ${starts}, ends of their own ${ends}`,
    `agents killed ${agents.kills} (${agents.youngKills} before they served), servers ${serverKills}`,
    `settled after ${seconds(settledAfterMs)}, empty after ${seconds(emptyAfterMs)}`,
    `agent: peak ${megabytes(agents.most.peakBytes)}, ${agents.most.descriptors} descriptors; ` +
      `with all tasks ${megabytes(settled.residentBytes)}, ${settled.descriptors} descriptors; ` +
      `with none ${megabytes(empty.residentBytes)}, ${empty.descriptors} descriptors`,
  ].join('; ');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
