/**
 * `npm run soak [-- --tasks N --minutes M --seed S --sources]`: NodeTasks of a real API server on a real node, created, changed,
 * paused and deleted at random while agent and API server are killed -9 again and again; then everything has to be as it is
 * to be, and nothing else may be there. Needs root. The same seed makes the same plan.
 */
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { buildProgram } from '../../bench/program.ts';
import { describeFigures } from './report.ts';
import { runSoak } from './soak.ts';

const usage = `npm run soak [-- OPTION…]
  --tasks N     names of NodeTasks, 500
  --minutes M   how long faults and changes last, 5
  --seed S      of the random plan; a new one each time
  --kill        lets somebody else kill tasks and monitors, too
  --sources     runs the agent from its sources instead of the built program
`;

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '500' },
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    kill: { type: 'boolean', default: false },
    sources: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
process.exit(values.help ? say(usage) : await main());

async function main(): Promise<number> {
  const options = { tasks: Number(values.tasks), minutes: Number(values.minutes), seed: Number(values.seed) };
  if (!Object.values(options).every((value) => value > 0)) {
    say(usage);
    return 2;
  }
  const again = `--tasks ${options.tasks} --minutes ${options.minutes} --seed ${options.seed}${values.kill ? ' --kill' : ''}`;
  execFileSync('bash', ['scripts/test-servers.sh', 'clients', 'servers'], { stdio: 'inherit' });
  say(`soak ${again}`);
  const { kill } = values;
  const program = values.sources ? {} : { program: buildProgram() };
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));
  const { violations, figures } = await runSoak({ ...options, kill, ...program, say, signal: stop.signal });
  for (const violation of violations) say(violation);
  say(describeFigures(figures));
  say(
    violations.length === 0 ? `kept every promise: ${again}` : `${violations.length} violations: repeat with ${again}`,
  );
  return violations.length === 0 ? 0 : 1;
}

function say(line: string): 0 {
  process.stdout.write(`${line}\n`);
  return 0;
}
