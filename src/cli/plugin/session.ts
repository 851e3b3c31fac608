import { createHash, randomBytes } from 'node:crypto';
import { connectSessions, replies } from '#api/client.ts';
import type { SessionReply, SessionRequest, SessionStarted, SessionTicket } from '#api/gen/runlet/v1/sessions.ts';
import { FailedPreconditionError, UnavailableError } from '#errors/errors.ts';
import type { ClientDuplex } from './converse.ts';
import { agentPod, readNodeTask } from './node-task.ts';
import { requestOf } from './one-shot.ts';
import type { PluginCall } from './verbs.ts';

/** Where the chart puts the agents. */
const defaultAgentNamespace = 'runlet-system';

const secretBytes = 32;

/** Kinds of sessions and their resources. */
export const sessionResources = {
  NodeTaskExecSession: 'nodetaskexecsessions.runlet.dev',
  NodeTaskAttachSession: 'nodetaskattachsessions.runlet.dev',
  NodeTaskLogSession: 'nodetasklogsessions.runlet.dev',
  NodeTaskTopSession: 'nodetasktopsessions.runlet.dev',
} as const;

export type SessionKind = keyof typeof sessionResources;

export interface SessionAsk {
  readonly kind: SessionKind;
  readonly spec: object;
  readonly ticket?: Partial<Pick<SessionTicket, 'size' | 'logs' | 'top'>>;
}

/** A session that the agent has let us into. */
export interface OpenSession {
  readonly nodeName: string;
  readonly started: SessionStarted;
  readonly stream: ClientDuplex;
  /** What comes after `started`. */
  readonly replies: AsyncIterator<SessionReply>;
}

/**
 * Makes an object that announces a session, which the API server allows or not, goes to the agent of the task's node by a
 * port-forward, shows it the secret whose SHA-256 the object holds, and talks. Throws what kubectl or the agent said.
 */
export async function withSession<R>(
  { kubectl, flags, name }: PluginCall,
  ask: SessionAsk,
  talk: (session: OpenSession) => Promise<R>,
): Promise<R> {
  const task = await readNodeTask(kubectl, name);
  const { nodeName } = task.spec;
  const agents = flags.text('agentNamespace') ?? defaultAgentNamespace;
  const pod = await agentPod(kubectl, nodeName, agents);
  using way = await kubectl.portForward(pod.name, pod.port, agents);
  const secret = randomBytes(secretBytes);
  const secretSHA256 = createHash('sha256').update(secret).digest('hex');
  const request = await requestOf(kubectl, task, { kind: ask.kind, spec: { ...ask.spec, secretSHA256 } });
  const { metadata } = await kubectl.json<{ readonly metadata: { readonly name: string; readonly uid: string } }>(
    ['create', '-f', '-'],
    { input: JSON.stringify(request) },
  );
  const object = `${sessionResources[ask.kind]}/${metadata.name}`;
  using client = connectSessions(way.port);
  const stream = client.open();
  stream.on('error', () => {}); // replies() tells of it
  const ticket = {
    ...{ kind: ask.kind, namespace: task.metadata.namespace, name: metadata.name, uid: metadata.uid, secret },
    ...{ size: undefined, logs: undefined, top: undefined, ...ask.ticket },
  };
  stream.write({ message: { $case: 'ticket', value: ticket } } satisfies SessionRequest);
  const answers = replies(stream)[Symbol.asyncIterator]();
  try {
    const started = await firstReply(answers);
    return await talk({ nodeName, started, stream, replies: answers });
  } catch (error) {
    throw brokenWay(error, object, way.complaints());
  } finally {
    stream.cancel();
  }
}

async function firstReply(answers: AsyncIterator<SessionReply>): Promise<SessionStarted> {
  const { value } = (await answers.next()) as IteratorResult<SessionReply, undefined>;
  if (value?.message?.$case === 'started') return value.message.value;
  throw new FailedPreconditionError('the agent did not begin the session');
}

/** A connection that broke says nothing of why; kubectl and the object may. */
function brokenWay(error: unknown, object: string, complaints: string): unknown {
  if (!(error instanceof UnavailableError)) return error;
  const why = complaints === '' ? error.message : complaints;
  return new UnavailableError(`the connection to the agent broke: ${why}; ${object} says how the session ended`, {
    cause: error,
  });
}
