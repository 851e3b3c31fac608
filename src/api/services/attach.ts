import { randomUUID } from 'node:crypto';
import { FailedPreconditionError, InvalidArgumentError } from '#errors/errors.ts';
import type { ProcessSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import type { ContainerStore } from '#task/containers.ts';
import type { ExecProcess } from '#task/exec-process.ts';
import { parseExecId, parseNamespace, parseTaskId, type TaskRef } from '#task/ids.ts';
import type { Attachment } from '#task/io.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import type { AttachReply, AttachRequest, AttachStart, ExecStart } from '../gen/runlet/v1/runlet.ts';
import type { Call, Handlers } from '../handler.ts';
import type { TaskMaker } from '../ports.ts';

export interface AttachContext {
  readonly tasks: TaskManager;
  readonly containers: ContainerStore;
  readonly maker: TaskMaker;
  readonly handlers: Handlers;
}

type Send = (reply: AttachReply) => Promise<void>;

/**
 * Connects a client to a process until it has ended or the client leaves; then an exec that the client ran goes on, as one
 * that nobody watches. The first request says to what; what follows is input, sizes of the terminal and the end of input.
 */
export async function attach(
  context: AttachContext,
  requests: AsyncIterable<AttachRequest>,
  call: Call,
  send: Send,
): Promise<void> {
  const input = requests[Symbol.asyncIterator]();
  const first = (await input.next()) as IteratorResult<AttachRequest, undefined>;
  if (first.value?.message?.$case !== 'start') {
    throw new InvalidArgumentError('the first message of Attach must be start');
  }
  const start = first.value.message.value;
  const ref = { namespace: parseNamespace(start.namespace), id: parseTaskId(start.id) };
  const task = context.tasks.get(ref);
  const { exec } = start;
  if (!exec) {
    await using attachment = await task.attach();
    await send(started('', task));
    await converse(task, attachment, input, call, send);
    return;
  }
  const process = await context.handlers.logged('exec', start, call, () => addExec(context, task, start, exec));
  try {
    await process.start(call);
    if (start.detach) {
      await send(started(process.execId, process));
      return;
    }
    await using attachment = await process.attach();
    if (exec.size) await process.resize(exec.size);
    await send(started(process.execId, process));
    await converse(process, attachment, input, call, send);
  } finally {
    forget(process);
  }
}

/** Removes the exec's record now or, where the client left it running, at its end. */
function forget(process: ExecProcess): void {
  const remove = () => process.delete().then(ignore, ignore);
  if (process.status === 'running') process.wait().then(remove, ignore);
  else void remove();
}

function ignore(): void {}

function started(execId: string, process: Task | ExecProcess): AttachReply {
  return { message: { $case: 'started', value: { execId, pid: process.pid, terminal: process.io.terminal } } };
}

/** Copies both ways; ends when the process has ended and all that it wrote is sent, or the client has gone. */
async function converse(
  process: Task | ExecProcess,
  attachment: Attachment,
  input: AsyncIterator<AttachRequest>,
  call: Call,
  send: Send,
): Promise<void> {
  const leave = () => void attachment[Symbol.asyncDispose]();
  call.signal.addEventListener('abort', leave, { once: true });
  const feeding = feed(process, attachment, input).catch(leave);
  for await (const { stream, data } of attachment.output) {
    await send({ message: { $case: stream, value: Buffer.from(data) } });
  }
  if (call.signal.aborted) return;
  const exit = await process.wait({ signal: call.signal });
  await send({ message: { $case: 'exit', value: { status: exit.status, reason: exit.reason } } });
  void feeding;
}

async function feed(
  process: Task | ExecProcess,
  attachment: Attachment,
  input: AsyncIterator<AttachRequest>,
): Promise<void> {
  for (;;) {
    const next = (await input.next()) as IteratorResult<AttachRequest, undefined>;
    const message = next.value?.message;
    if (next.done) return;
    switch (message?.$case) {
      case 'stdin':
        await attachment.write(message.value);
        break;
      case 'resize':
        await process.resize(message.value);
        break;
      case 'closeStdin':
        await attachment.closeStdin();
        break;
      case 'start':
      case undefined:
        break;
    }
  }
}

async function addExec(context: AttachContext, task: Task, start: AttachStart, exec: ExecStart): Promise<ExecProcess> {
  if (exec.command.length === 0) throw new InvalidArgumentError('exec.command must not be empty');
  const io = { kind: 'log', terminal: exec.terminal, stdin: start.stdin, stdinOnce: true } as const;
  const process = await toProcess(context, task.ref, exec);
  return await task.exec(parseExecId(`x-${randomUUID().slice(0, 8)}`), { process, io });
}

/** The container's own process with another command: the same rights, environment and confinement. */
async function toProcess({ containers, maker }: AttachContext, ref: TaskRef, exec: ExecStart): Promise<ProcessSpec> {
  const spec = JSON.parse(Buffer.from(containers.get(ref).spec.value, 'base64').toString('utf8')) as RuntimeSpec;
  if (!spec.process) throw new FailedPreconditionError(`the specification of ${ref.id} has no process`);
  const names = new Set(exec.env.map((entry) => entry.split('=')[0]));
  const kept = (spec.process.env ?? []).filter((entry) => !names.has(entry.split('=')[0]));
  const withTerm = exec.terminal && !names.has('TERM') ? ['TERM=xterm'] : [];
  return {
    ...spec.process,
    args: exec.command,
    env: [...kept, ...withTerm, ...exec.env],
    terminal: exec.terminal,
    ...(exec.cwd ? { cwd: exec.cwd } : {}),
    ...(exec.user ? { user: await maker.resolveUser(ref, exec.user) } : {}),
  };
}
