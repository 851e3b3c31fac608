/**
 * `npm run bench [-- core|memory|api|scrape|nodetask …]`: measures on this machine, each part against what it is to be compared with
 * in the same run. Without a name every part that is there is run. Needs root; says the load, because a busy machine lies.
 */
import { loadavg } from 'node:os';

/** A part of the measurements: prints its own tables. */
export interface Bench {
  run(): Promise<void>;
}

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  core: async () => await import('./core.ts'),
  memory: async () => await import('./memory.ts'),
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`no bench ${unknown.join(', ')}: there are ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
if (process.getuid?.() !== 0) {
  console.error('the measurements run real containers: run them as root');
  process.exit(1);
}
// What a runtime waits for does not keep a program alive; in an agent its servers do.
setInterval(() => {}, 60_000);
for (const name of names.length > 0 ? names : Object.keys(benches)) {
  console.log(`\n${name} (load ${loadavg()[0]?.toFixed(1)})\n`);
  const bench = await benches[name]?.();
  await bench?.run();
}
process.exit(0);
