/**
 * Fuzzes the API at a large budget: `npm run fuzz -- [RUNS] [SEED]`, 20,000 runs when nothing is said. The tests do the
 * same at a small one.
 */
import { fuzzApi } from './api.ts';

const [runs = '20000', seed] = process.argv.slice(2);
const startedAt = performance.now();
await fuzzApi({ runs: Number(runs), ...(seed === undefined ? {} : { seed: Number(seed) }) });
process.stdout.write(`${runs} runs without a finding in ${Math.round((performance.now() - startedAt) / 1000)} s\n`);
