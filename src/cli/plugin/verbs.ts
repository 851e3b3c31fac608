import { DeadlineExceededError, FailedPreconditionError, InvalidArgumentError } from '#errors/errors.ts';
import { parseSignal, signalName } from '#oci/signal.ts';
import type { Flags } from '../flags.ts';
import { write, writeLine, type Shell } from '../shell.ts';
import type { Kubectl } from './kubectl.ts';
import { readNodeTask, resource } from './node-task.ts';
import { oneShot, type OneShot } from './one-shot.ts';
import { execSession } from './session-verbs.ts';

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
    await actedOn({ kubectl, shell, flags, name }, restartedAt);
    await waitFor(kubectl, flags, name, 'condition=Ready');
  }
  await writeLine(shell.stdout, `${resource}/${name} restarted`);
  return 0;
}

/** How often an object is looked at that kubectl itself cannot wait for. */
const lookEveryMs = 300;

/** Waits until the agent says that it has acted on an annotation: kubectl waits for such a thing only from 1.23 on. */
async function actedOn(
  { kubectl, shell, flags, name }: Pick<PluginCall, 'kubectl' | 'shell' | 'flags' | 'name'>,
  restartedAt: string,
): Promise<void> {
  const waitMs = flags.durationMs('timeout') ?? defaultWaitMs;
  const endMs = shell.nowMs() + waitMs;
  for (;;) {
    const { status, spec } = await readNodeTask(kubectl, name);
    if (status?.restartedAt === restartedAt) return;
    if (shell.nowMs() >= endMs) {
      throw new DeadlineExceededError(
        `${resource}/${name} was not restarted within ${waitMs / 1000} s: does the agent of node ${spec.nodeName} run?`,
      );
    }
    await shell.pause(lookEveryMs);
  }
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
 * in a session. The exit status is the command's.
 */
export async function exec(call: PluginCall): Promise<number> {
  const { kubectl, shell, flags, name } = call;
  const command = call.rest[0] === '--' ? call.rest.slice(1) : call.rest;
  if (command.length === 0) throw new InvalidArgumentError('name a command: `kubectl runlet exec NAME -- COMMAND`');
  if (flags.is('interactive') || flags.is('tty')) return await execSession(call, command);
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
