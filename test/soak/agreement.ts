import type { TestNode } from '../support/node.ts';
import { readKernelTask, type KernelLimits, type KernelTask } from './kernel.ts';
import { namespace, type SoakObject, type Story } from './objects.ts';
import type { Limits } from './plan.ts';
import type { Runs } from './task-program.ts';

/** Where the agent keeps the tasks of our namespace. */
export const nodeNamespace = `k8s.${namespace}`;
/** The agent's own default, which a task without a limit of processes has. */
const defaultPids = 2048;
/** An end is told of within this, and an object whose time is over goes soon after. */
const ttlLeewayMs = 5000;

/** In what an object, what is said of it and what the kernel has do not agree, one sentence each. */
export function disagreements(
  object: SoakObject,
  node: TestNode,
  known: { readonly runs: Runs | undefined; readonly story: Story | undefined },
): readonly string[] {
  const kernel = readKernelTask(node, nodeNamespace, object.metadata.name);
  const mayEnd = Number(object.spec.args[1]) > 0 || (known.story?.kills ?? 0) > 0;
  return [...unsettled(object, mayEnd), ...kernelDiffers(object, kernel), ...programDiffers(object, known.runs)].map(
    (text) => `${object.metadata.name} (${object.metadata.uid}): ${text}`,
  );
}

function condition({ status }: SoakObject, type: string) {
  return status?.conditions?.find((one) => one.type === type);
}

/** Whether what is said is about this generation, and is what may be the end of the matter. */
function unsettled(object: SoakObject, mayEnd: boolean): readonly string[] {
  const { metadata, spec, status } = object;
  const ready = condition(object, 'Ready');
  if (metadata.deletionTimestamp !== undefined) return ['it is deleted and still there'];
  const said = `${status?.state} (${ready?.status} ${ready?.reason}: ${ready?.message})`;
  if (status?.observedGeneration !== metadata.generation || ready?.observedGeneration !== metadata.generation) {
    return [`generation ${metadata.generation}, observed ${status?.observedGeneration}: ${said}`];
  }
  const asked = `asked to be ${spec.runState}, is ${said}`;
  if (!states(object, mayEnd).includes(status.state ?? '')) return [asked];
  const isOver = ready.status === 'True' || ['BackOff', 'Failed', 'AlreadyStarted'].includes(ready.reason);
  return isOver ? overdue(object) : [asked];
}

function overdue(object: SoakObject): readonly string[] {
  const { ttlSecondsAfterFinished: ttl } = object.spec;
  const succeeded = condition(object, 'Succeeded');
  if (ttl === undefined || !succeeded || succeeded.status === 'Unknown') return [];
  const overAtMs = Date.parse(succeeded.lastTransitionTime) + ttl * 1000 + ttlLeewayMs;
  return overAtMs < Date.now() ? [`its time was over at ${new Date(overAtMs).toISOString()}`] : [];
}

/** The states that its spec allows: a program that ends waits for its next start, or has none. */
function states({ spec }: SoakObject, mayEnd: boolean): readonly string[] {
  const mortal = mayEnd ? ['Stopped', 'Pending'] : [];
  switch (spec.runState) {
    case 'Stopped':
      return ['Stopped'];
    case 'Created':
      return ['Created', 'Running', ...mortal];
    case 'Running':
    case 'Paused':
      return [spec.runState, ...mortal];
  }
}

function kernelDiffers(object: SoakObject, kernel: KernelTask | undefined): readonly string[] {
  const { status, spec } = object;
  const alive = kernel !== undefined && kernel.pids.length > 0;
  if (status?.state === 'Stopped' || status?.state === 'Pending') {
    return alive ? [`it is ${status.state}, and processes ${kernel.pids.join(', ')} are there`] : [];
  }
  if (!alive) return [`it is ${status?.state}, and there is no process`];
  const found: string[] = [];
  if (!kernel.pids.includes(status?.pid ?? 0)) found.push(`pid ${status?.pid} is none of ${kernel.pids.join(', ')}`);
  if (kernel.frozen !== (status?.state === 'Paused')) {
    found.push(`it is ${status?.state}, and its cgroup ${kernel.frozen ? 'is' : 'is not'} frozen`);
  }
  return [...found, ...limitsDiffer(spec.resources?.limits ?? {}, kernel.limits, status?.resources?.limits ?? {})];
}

function limitsDiffer(asked: Limits, kernel: KernelLimits, said: Limits): readonly string[] {
  const wanted = {
    cpuMilli: asked.cpu === undefined ? undefined : Number.parseInt(asked.cpu, 10),
    memoryBytes: asked.memory === undefined ? undefined : Number.parseInt(asked.memory, 10) * 2 ** 20,
    pids: Number(asked.pids ?? defaultPids),
  };
  const found: string[] = [];
  for (const name of ['cpuMilli', 'memoryBytes', 'pids'] as const) {
    if (kernel[name] !== wanted[name]) found.push(`${name} should be ${wanted[name]}, the kernel has ${kernel[name]}`);
  }
  if (milli(said.cpu) !== wanted.cpuMilli || said.memory !== asked.memory || Number(said.pids) !== wanted.pids) {
    found.push(`its limits are said to be ${JSON.stringify(said)}, asked for ${JSON.stringify(asked)}`);
  }
  return found;
}

/** `500m` and `2` alike. */
function milli(cpu: string | undefined): number | undefined {
  if (cpu === undefined) return undefined;
  return cpu.endsWith('m') ? Number.parseInt(cpu, 10) : Number(cpu) * 1000;
}

/** What runs is the program that the spec names now. */
function programDiffers({ spec, status }: SoakObject, runs: Runs | undefined): readonly string[] {
  if (status?.state !== 'Running') return [];
  const revision = runs?.starts.at(-1);
  return String(revision) === spec.args[0] ? [] : [`it runs revision ${revision}, asked for ${spec.args[0]}`];
}
