import { FailedPreconditionError, InvalidArgumentError } from '#errors/errors.ts';
import { parseSignal, signalName } from '#oci/signal.ts';
import type { Flags } from '../flags.ts';
import { write, writeLine, type Shell } from '../shell.ts';
import type { Kubectl } from './kubectl.ts';
import { agentPod, nameOnNode, readNodeTask, resource } from './node-task.ts';
import { oneShot, type OneShot } from './one-shot.ts';

/** What a verb of the plugin is called with. */
export interface PluginCall {
  readonly kubectl: Kubectl;
  readonly shell: Shell;
  readonly flags: Flags;
  readonly name: string;
  /** What follows the name. */
  readonly rest: readonly string[];
}

/** Long enough for an image that must be pulled first. */
const defaultWaitMs = 60_000;

/** Where the chart puts the agents. */
const defaultAgentNamespace = 'runlet-system';

/** `pause` and `resume`: changes the wish, and waits until the agent says that it is so. */
export async function setRunState({ kubectl, shell, flags, name }: PluginCall, runState: string): Promise<number> {
  const patch = JSON.stringify({ spec: { runState } });
  await kubectl.text(['patch', resource, name, '--type', 'merge', '-p', patch]);
  if (!flags.is('noWait')) await waitFor(kubectl, flags, name, 'condition=Ready');
  await writeLine(shell.stdout, `${resource}/${name} ${runState.toLowerCase()}`);
  return 0;
}

/** Restarts in place by the annotation that says when it was asked for. */
export async function restart({ kubectl, shell, flags, name }: PluginCall): Promise<number> {
  const restartedAt = new Date(shell.nowMs()).toISOString();
  const patch = JSON.stringify({ metadata: { annotations: { 'runlet.dev/restartedAt': restartedAt } } });
  await kubectl.text(['patch', resource, name, '--type', 'merge', '-p', patch]);
  if (!flags.is('noWait')) {
    await waitFor(kubectl, flags, name, `jsonpath={.status.restartedAt}=${restartedAt}`);
    await waitFor(kubectl, flags, name, 'condition=Ready');
  }
  await writeLine(shell.stdout, `${resource}/${name} restarted`);
  return 0;
}

async function waitFor(kubectl: Kubectl, flags: Flags, name: string, what: string): Promise<void> {
  const seconds = Math.ceil((flags.durationMs('timeout') ?? defaultWaitMs) / 1000);
  await kubectl.text(['wait', `--for=${what}`, `${resource}/${name}`, `--timeout=${seconds}s`]);
}

/** Sends a signal by a NodeTaskSignal. */
export async function kill({ kubectl, shell, flags, name }: PluginCall): Promise<number> {
  const signal = signalName(parseSignal(flags.text('signal') ?? 'TERM'));
  const task = await readNodeTask(kubectl, name);
  const spec = { signal, scope: flags.is('all') ? 'All' : 'Init' };
  const done = await oneShot(kubectl, task, { kind: 'NodeTaskSignal', spec, mayTakeSeconds: 0 });
  succeeded(done);
  await writeLine(shell.stdout, `${resource}/${name} signalled ${signal}`);
  return 0;
}

/** A dump to disk may take long. */
const checkpointSeconds = 300;

/** Dumps the task by a NodeTaskCheckpoint, whose name it prints. */
export async function checkpoint({ kubectl, shell, flags, name }: PluginCall): Promise<number> {
  const task = await readNodeTask(kubectl, name);
  const called = flags.text('name');
  const done = await oneShot(kubectl, task, {
    kind: 'NodeTaskCheckpoint',
    ...(called === undefined ? {} : { name: called }),
    spec: { afterCheckpoint: flags.is('stop') ? 'Stop' : 'Continue' },
    mayTakeSeconds: checkpointSeconds,
  });
  succeeded(done);
  await writeLine(
    shell.stdout,
    `nodetaskcheckpoints.runlet.dev/${done.metadata.name} ${done.status?.path ?? ''}`.trimEnd(),
  );
  return 0;
}

function succeeded({ metadata, status }: OneShot): void {
  if (status?.state === 'Succeeded') return;
  const { state = 'Unknown', reason = '', message = '' } = status ?? {};
  throw new FailedPreconditionError(`${metadata.name} ${state}: ${[reason, message].filter(Boolean).join(': ')}`);
}

/** Nobody knows how it ended. */
const unknownStatus = 255;

const defaultExecSeconds = 60;

/**
 * Runs a command in the task. Without -i and -t by a NodeTaskExec, which keeps who asked and what came of it; with one of them
 * through the agent's pod. The exit status is the command's.
 */
export async function exec(call: PluginCall): Promise<number> {
  const { kubectl, shell, flags, name } = call;
  const command = call.rest[0] === '--' ? call.rest.slice(1) : call.rest;
  if (command.length === 0) throw new InvalidArgumentError('name a command: `kubectl runlet exec NAME -- COMMAND`');
  if (flags.is('interactive') || flags.is('tty')) return await onNode(call, 'exec', keyFlags(flags), command);
  const timeoutSeconds = Math.ceil((flags.durationMs('timeout') ?? defaultExecSeconds * 1000) / 1000);
  const task = await readNodeTask(kubectl, name);
  const spec = { command, timeoutSeconds };
  const { metadata, status } = await oneShot(kubectl, task, {
    kind: 'NodeTaskExec',
    spec,
    mayTakeSeconds: timeoutSeconds,
  });
  await write(shell.stdout, status?.stdout ?? '');
  await write(shell.stderr, status?.stderr ?? '');
  if (status?.truncated)
    await writeLine(shell.stderr, `output was left out: ${metadata.name} keeps its beginning and end`);
  if (status?.exitStatus !== undefined) return status.exitStatus;
  if (status?.state === 'Unknown') {
    await writeLine(shell.stderr, `error: nobody saw how it ended: ${status.message ?? ''}`);
    return unknownStatus;
  }
  succeeded({ metadata, spec: {}, ...(status ? { status } : {}) });
  return 0;
}

function keyFlags(flags: Flags): readonly string[] {
  return [...(flags.is('interactive') ? ['-i'] : []), ...(flags.is('tty') ? ['-t'] : [])];
}

/** `attach`: as it is on the node. */
export async function attach(call: PluginCall): Promise<number> {
  return await onNode(call, 'attach', ['-i', '-t'], []);
}

/** `logs`, with the flags of the client on the node. */
export async function logs(call: PluginCall): Promise<number> {
  const { flags } = call;
  const valued = ['tail', 'since', 'attempt'].flatMap((flag) => {
    const value = flags.text(flag);
    return value === undefined ? [] : [`--${flag}`, value];
  });
  const switches = ['follow', 'timestamps'].flatMap((flag) => (flags.is(flag) ? [`--${flag}`] : []));
  return await onNode(call, 'logs', [], [], [...switches, ...valued]);
}

/** `top`: what the task uses. */
export async function top(call: PluginCall): Promise<number> {
  return await onNode(call, 'stats', [], []);
}

/** Runs the client in the agent's pod on the task's node, on this terminal. */
async function onNode(
  { kubectl, flags, name }: PluginCall,
  verb: string,
  keys: readonly string[],
  command: readonly string[],
  verbFlags: readonly string[] = [],
): Promise<number> {
  const task = await readNodeTask(kubectl, name);
  const namespace = flags.text('agentNamespace') ?? defaultAgentNamespace;
  const pod = await agentPod(kubectl, task.spec.nodeName, namespace);
  const inner = verb === 'exec' ? [...keys, nameOnNode(task), ...command] : [...verbFlags, nameOnNode(task)];
  return await kubectl.here(['exec', ...keys, pod, '--', 'runlet', verb, ...inner], namespace);
}
