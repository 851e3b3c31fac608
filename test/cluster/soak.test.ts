import { expect, it } from 'vitest';
import { runSoak } from '../soak/soak.ts';

it(
  'keeps every promise of 25 NodeTasks while agent and API server are killed -9 again and again',
  { timeout: 360_000 },
  async () => {
    const { violations, figures } = await runSoak({ tasks: 25, minutes: 40 / 60, seed: 4711 });
    expect(violations).toEqual([]);
    expect(figures.agents.kills).toBeGreaterThan(1);
    expect(figures.serverKills).toBe(1);
    expect(figures.starts).toBeGreaterThan(5);
  },
);
