/**
 * `npm run quickstart [-- --once] [-- --folder DIR]`: builds runlet, runs its agent on examples/standalone, shows what runs and
 * stays until Ctrl-C, which removes it all. Everything is below one folder and one cgroup of its own.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CgroupGroup } from '#cgroup/group.ts';
import { detectHierarchy } from '#cgroup/hierarchy.ts';
import { logsOf, QuickstartAgent, socketOf, type Place } from './quickstart/agent.ts';
import { askedStates, stillMissing, type ListedTask } from './quickstart/examples.ts';

/** Back-off of the batch example included, this is more than a slow machine needs. */
const waitLimitMs = 180_000;
const program = resolve('dist/runlet.js');

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    folder: { type: 'string', default: '/var/lib/runlet-quickstart' },
  },
});
const toldToStop = new Promise<void>((stop) => {
  process.once('SIGINT', () => stop());
  process.once('SIGTERM', () => stop());
});
process.exitCode = await main(resolve(values.folder), values.once);

async function main(folder: string, once: boolean): Promise<number> {
  console.log('Building dist/runlet.js');
  execFileSync(
    process.execPath,
    ['node_modules/rolldown/bin/cli.mjs', '-c', 'rolldown.config.ts', '--log-level', 'warn'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  execFileSync('sh', ['scripts/make-example-image.sh'], { stdio: 'inherit' });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const place: Place = {
    folder,
    cgroupParent: `/${basename(folder)}`,
    metricsAddress: `127.0.0.1:${await freePort(9621)}`,
  };
  awaitFormerAgent(folder);
  const manifests = manifestsFor(folder);
  console.log(`Starting an agent on ${manifests}`);
  const agent = new QuickstartAgent(program, place, manifests);
  try {
    const ready = await Promise.race([asAsked(agent, manifests), toldToStop]);
    if (ready) {
      await show(agent, place, manifests);
      if (!once) {
        console.log('\nCtrl-C stops it and removes its tasks.');
        await toldToStop;
      }
    }
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(agent.lastLog());
    return 1;
  } finally {
    console.log('\nRemoving its tasks');
    await agent.stop();
    await removeAll(place);
  }
}

/** The agent of a quickstart that was killed needs a moment to stop; until then it holds the state folder's lock. */
function awaitFormerAgent(folder: string): void {
  const lock = join(folder, 'state/lock');
  if (existsSync(lock)) execFileSync('flock', ['--timeout', '30', lock, 'true'], { stdio: 'inherit' });
}

/** The examples themselves where only root can write them, which is what an agent asks of manifests; else a copy. */
function manifestsFor(folder: string): string {
  const examples = resolve('examples/standalone');
  const { uid, mode } = statSync(examples);
  if (uid === 0 && (mode & 0o022) === 0) return examples;
  const copy = join(folder, 'manifests');
  cpSync(examples, copy, { recursive: true });
  execFileSync('chown', ['-R', 'root:root', copy]);
  execFileSync('chmod', ['-R', 'go-w', copy]);
  return copy;
}

/** Waits until every task is in the state that its file asks for. */
async function asAsked(agent: QuickstartAgent, manifests: string): Promise<true> {
  const asked = readdirSync(manifests)
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => askedStates(readFileSync(join(manifests, name), 'utf8')));
  const missing = (listed: readonly ListedTask[]) => stillMissing(asked, listed);
  await untilListed(agent, (listed) => missing(listed).length === 0, missing);
  return true;
}

async function untilListed(
  agent: QuickstartAgent,
  good: (listed: readonly ListedTask[]) => boolean,
  what: (listed: readonly ListedTask[]) => readonly string[],
): Promise<void> {
  let last: readonly string[] = ['the agent does not answer'];
  for (const end = performance.now() + waitLimitMs; performance.now() < end;) {
    agent.assertAlive();
    try {
      const listed = JSON.parse(await agent.client('ps', '-o', 'json')) as ListedTask[];
      if (good(listed)) return;
      last = what(listed);
    } catch (error) {
      last = [error instanceof Error ? error.message : String(error)];
    }
    await new Promise((again) => setTimeout(again, 200));
  }
  throw new Error(`after ${waitLimitMs / 1000} s: ${last.join('; ')}`);
}

async function show(agent: QuickstartAgent, place: Place, manifests: string): Promise<void> {
  console.log(`\n$ runlet ps\n${await agent.client('ps')}`);
  console.log(`$ runlet stats\n${await agent.client('stats')}`);
  const runlet = `${resolve('node_modules/.bin/node')} ${program} --address ${socketOf(place)}`;
  console.log(`Where to look next
  a client:   alias runlet='${runlet}'
              runlet logs -f ticker;  runlet exec -it worker /bin/sh
  change it:  edit a file in ${manifests}: runState: Paused, limits, a new file, one less
  metrics:    http://${place.metricsAddress}/metrics
  logs:       ${logsOf(place)}/k8s.default/<task>/<attempt>.log
  the agent:  ${join(place.folder, 'agent.log')}, docs/README.md`);
}

/** Stops and deletes every task by an agent whose folder of manifests is empty, then removes the folder and the cgroups. */
async function removeAll(place: Place): Promise<void> {
  const nothing = join(place.folder, 'no-manifests');
  mkdirSync(nothing, { recursive: true });
  const agent = new QuickstartAgent(program, place, nothing);
  try {
    await untilListed(
      agent,
      (listed) => listed.length === 0,
      (listed) => listed.map(({ id, status }) => `${id} is still ${status}`),
    );
  } finally {
    await agent.stop();
  }
  new CgroupGroup(detectHierarchy(), place.cgroupParent).remove();
  rmSync(place.folder, { recursive: true, force: true });
}

/** The port if nobody listens there, else any that is free. */
async function freePort(wanted: number): Promise<number> {
  for (const port of [wanted, 0]) {
    const server = createServer();
    const taken = await new Promise<number | undefined>((answer) => {
      server.once('error', () => answer(undefined));
      server.listen(port, '127.0.0.1', () => {
        const address = server.address();
        answer(typeof address === 'object' && address ? address.port : undefined);
      });
    });
    await new Promise((closed) => server.close(closed));
    if (taken !== undefined) return taken;
  }
  throw new Error('no free port on 127.0.0.1');
}
