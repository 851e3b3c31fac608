import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identify } from '#host/process.ts';
import { parseExecId } from '#task/ids.ts';
import { makeTestNode, type TestNode } from '../test/support/node.ts';
import { execRecord, makeRuntime, record, ref, spec } from '../test/support/runtime.ts';
import { printSeries, printTable, quantile, timed } from './measure.ts';

const rounds = 50;
const warmUps = 5;

/** Between two lives, so that what the kernel does behind the last one is not counted with the next. */
const pauseMs = 20;

const verbs = ['create', 'start', 'pause', 'resume', 'exec', 'kill to exit', 'delete'] as const;
type Samples = Record<(typeof verbs)[number], number[]>;

const aims: Partial<Record<(typeof verbs)[number], string>> = {
  create: '≤ 1.15×',
  start: '≤ 1 ms',
  pause: '≤ 0.5 ms',
  resume: '≤ 0.5 ms',
  'kill to exit': '≤ 2 ms',
  delete: '≤ 2 ms',
};

/** Each verb of a task's life by the runtime port and by runc's commands in turn, and whole lives with eight at once. */
export async function run(): Promise<void> {
  const node = makeTestNode();
  // What does not outlive a reboot is in memory on a node too.
  mkdirSync(node.state);
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', node.state]);
  const tested = makeRuntime(node);
  try {
    await tested.recover();
    const [ours, runcs] = [newSamples(), newSamples()];
    for (let round = -warmUps; round < rounds; round += 1) {
      await life(tested, node, round < 0 ? newSamples() : ours);
      await delay(pauseMs);
      await runcLife(node, round < 0 ? newSamples() : runcs);
      await delay(pauseMs);
    }
    printSeries(
      verbs.map((name) => ({
        name,
        samples: ours[name],
        against: runcs[name],
        ...(aims[name] ? { aim: aims[name] } : {}),
      })),
    );
    await printCycles(tested, node);
  } finally {
    await tested[Symbol.asyncDispose]();
    await node.clean();
  }
}

function newSamples(): Samples {
  return { create: [], start: [], pause: [], resume: [], exec: [], 'kill to exit': [], delete: [] };
}

async function life(tested: ReturnType<typeof makeRuntime>, node: TestNode, samples: Samples): Promise<void> {
  const { runtime } = tested;
  const task = ref('t');
  const execId = parseExecId('e');
  samples.create.push(await timed(() => runtime.create(record(node, 't'), spec(node, ['/bin/sleep', '1000']), {})));
  samples.start.push(await timed(() => runtime.start(task, {})));
  samples.pause.push(await timed(() => runtime.pause(task)));
  samples.resume.push(await timed(() => runtime.resume(task)));
  await runtime.addExec(task, execRecord('e', ['/bin/true']));
  samples.exec.push(
    await timed(async () => {
      await runtime.startExec(task, execId, {});
      await tested.exitOf({ ...task, execId });
    }),
  );
  samples['kill to exit'].push(
    await timed(async () => {
      await runtime.kill(task, 9);
      await tested.exitOf(task);
    }),
  );
  samples.delete.push(await timed(() => runtime.delete(task)));
  tested.forget();
}

/** The same by runc alone, its streams on /dev/null as ours are. */
async function runcLife(node: TestNode, samples: Samples): Promise<void> {
  const bundle = join(node.state, 'bundle');
  mkdirSync(bundle, { recursive: true });
  const { linux, ...rest } = spec(node, ['/bin/sleep', '1000']);
  const config = { ...rest, linux: { ...linux, cgroupsPath: `${node.cgroupParent}/runc/t` } };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  const runc = async (...args: string[]) => {
    const child = spawn('runc', ['--root', join(node.state, 'runc-alone'), ...args], { stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`runc ${args.join(' ')} ended with ${code}`);
  };
  const pidFile = join(bundle, 'pid');
  samples.create.push(await timed(() => runc('create', '--bundle', bundle, '--pid-file', pidFile, 't')));
  samples.start.push(await timed(() => runc('start', 't')));
  samples.pause.push(await timed(() => runc('pause', 't')));
  samples.resume.push(await timed(() => runc('resume', 't')));
  samples.exec.push(await timed(() => runc('exec', 't', '/bin/true')));
  samples['kill to exit'].push(
    await timed(async () => {
      const pid = Number(readFileSync(pidFile, 'utf8'));
      await runc('kill', 't', 'KILL');
      while (identify(pid) !== undefined) await new Promise((resolve) => setImmediate(resolve));
    }),
  );
  samples.delete.push(await timed(() => runc('delete', 't')));
}

const atOnce = 8;
const cycles = 160;

async function printCycles(tested: ReturnType<typeof makeRuntime>, node: TestNode): Promise<void> {
  const each: number[] = [];
  let next = 0;
  const worker = async () => {
    while (next < cycles) {
      const id = `c${(next += 1)}`;
      each.push(
        await timed(async () => {
          await tested.runtime.create(record(node, id), spec(node, ['/bin/true']), {});
          await tested.runtime.start(ref(id), {});
          await tested.exitOf(ref(id));
          await tested.runtime.delete(ref(id));
        }),
      );
    }
  };
  const allMs = await timed(() => Promise.all(Array.from({ length: atOnce }, worker)));
  console.log('');
  printTable(
    ['whole lives', 'a second', 'median ms', 'p99 ms'],
    [
      [
        `${atOnce} at once`,
        ((cycles / allMs) * 1000).toFixed(1),
        quantile(each, 0.5).toFixed(1),
        quantile(each, 0.99).toFixed(1),
      ],
    ],
  );
}
