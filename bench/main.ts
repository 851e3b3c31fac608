/**
 * `npm run bench [-- NAME… --large]`: measures on this machine, each part against what it is to be compared with in the same run.
 * Without a name every part is run. Needs root; says the load, because a busy machine lies.
 */
import { loadavg } from 'node:os';

/** A part of the measurements: prints its own tables. */
export interface Bench {
  /** `large` asks for more of everything, which takes gigabytes and minutes. */
  run(options: { readonly large: boolean }): Promise<void>;
}

interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Bench>;
}

const benches: Readonly<Record<string, Entry>> = {
  core: {
    summary: 'each verb of a task by the runtime port, and by runc alone',
    load: async () => await import('./core.ts'),
  },
  memory: {
    summary: 'what an agent takes without a task and with a hundred',
    load: async () => await import('./memory.ts'),
  },
  api: {
    summary: "the same calls by the same client to a containerd and to an agent; --large: 500 tasks' metrics",
    load: async () => await import('./api.ts'),
  },
  scrape: {
    summary: "what a scrape of /metrics costs with up to 1000 tasks, and beside containerd's and cAdvisor's",
    load: async () => await import('./scrape.ts'),
  },
  nodetask: {
    summary: 'NodeTasks of a real API server until a watch sees them done; requests and CPU of the agent',
    load: async () => await import('./nodetask.ts'),
  },
  nodes: {
    summary: 'what an API server pays for many agents; --large: also for an old server that cannot select objects',
    load: async () => await import('./nodes.ts'),
  },
};

const usage = `npm run bench [-- NAME… --large]: measures the parts that are named, or all

${Object.entries(benches)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join('\n')}`;

const args = process.argv.slice(2);
const large = args.includes('--large');
const names = args.filter((name) => name !== '--large');
if (names.includes('--help') || names.includes('-h')) {
  console.log(usage);
  process.exit(0);
}
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`no bench ${unknown.join(', ')}\n\n${usage}`);
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
  const bench = await benches[name]?.load();
  await bench?.run({ large });
}
process.exit(0);
