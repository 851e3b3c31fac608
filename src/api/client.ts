import {
  Metadata,
  credentials,
  type CallOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';
import { PermissionDeniedError, UnavailableError } from '#errors/errors.ts';
import { ContainersClient } from './gen/containerd/services/containers/v1/containers.ts';
import { EventsClient } from './gen/containerd/services/events/v1/events.ts';
import { IntrospectionClient } from './gen/containerd/services/introspection/v1/introspection.ts';
import { LeasesClient } from './gen/containerd/services/leases/v1/leases.ts';
import { NamespacesClient } from './gen/containerd/services/namespaces/v1/namespaces.ts';
import { TasksClient } from './gen/containerd/services/tasks/v1/tasks.ts';
import { VersionClient } from './gen/containerd/services/version/v1/version.ts';
import { HealthClient } from './gen/grpc/health/v1/health.ts';
import { RunletClient } from './gen/runlet/v1/runlet.ts';
import { SessionsClient } from './gen/runlet/v1/sessions.ts';
import { fromStatus } from './status.ts';

/** The services of one agent. */
export interface ApiClient extends Disposable {
  readonly address: string;
  readonly tasks: TasksClient;
  readonly containers: ContainersClient;
  readonly namespaces: NamespacesClient;
  readonly leases: LeasesClient;
  readonly introspection: IntrospectionClient;
  readonly health: HealthClient;
  readonly events: EventsClient;
  readonly version: VersionClient;
  readonly runlet: RunletClient;
}

const largestMessageBytes = 16 * 1024 * 1024;

/** Clients for the agent at this socket; nothing is connected before the first call. */
export function connectApi(address: string): ApiClient {
  const to = `unix:${address}`;
  const insecure = credentials.createInsecure();
  const options = {
    'grpc.max_receive_message_length': largestMessageBytes,
    'grpc.max_send_message_length': largestMessageBytes,
    'grpc.enable_channelz': 0,
    'grpc.initial_reconnect_backoff_ms': 100,
  };
  const tasks = new TasksClient(to, insecure, options);
  // One connection for all: the others go over the first one's channel.
  const shared = { ...options, channelOverride: tasks.getChannel() };
  return {
    address,
    tasks,
    containers: new ContainersClient(to, insecure, shared),
    namespaces: new NamespacesClient(to, insecure, shared),
    leases: new LeasesClient(to, insecure, shared),
    introspection: new IntrospectionClient(to, insecure, shared),
    health: new HealthClient(to, insecure, shared),
    events: new EventsClient(to, insecure, shared),
    version: new VersionClient(to, insecure, shared),
    runlet: new RunletClient(to, insecure, shared),
    [Symbol.dispose]: () => tasks.close(),
  };
}

/** A client for the sessions that an agent serves at this port of our own loopback; nothing is connected before the first call. */
export function connectSessions(port: number): SessionsClient & Disposable {
  const client = new SessionsClient(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': largestMessageBytes,
    'grpc.enable_channelz': 0,
    // It leads to this very machine, whatever stands between it and the world.
    'grpc.enable_http_proxy': 0,
    // A node that died ends no connection.
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** The metadata that names a namespace. */
export function inNamespace(namespace: string): Metadata {
  const metadata = new Metadata();
  metadata.set('containerd-namespace', namespace);
  return metadata;
}

type UnaryMethod<Q, R> = (
  request: Q,
  metadata: Metadata,
  options: Partial<CallOptions>,
  answer: (error: ServiceError | null, response: R) => void,
) => ClientUnaryCall;

export interface UnaryOptions {
  readonly metadata?: Metadata;
  /** Milliseconds until DeadlineExceededError; without it the call may take as long as it takes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Makes one call, `unary(client.tasks.start.bind(client.tasks), {…})`; rejects with one of our errors, as the server threw it. */
export function unary<Q, R>(method: UnaryMethod<Q, R>, request: Q, options: UnaryOptions = {}): Promise<R> {
  return new Promise((resolve, reject) => {
    const deadline = options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
    const call = method(request, options.metadata ?? new Metadata(), deadline, (error, response) => {
      options.signal?.removeEventListener('abort', cancel);
      if (error) reject(explain(error));
      else resolve(response);
    });
    const cancel = () => call.cancel();
    options.signal?.addEventListener('abort', cancel, { once: true });
    if (options.signal?.aborted) cancel();
  });
}

/**
 * The replies of a streaming call; throws one of our errors.
 * @yields Each reply as it comes.
 */
export async function* replies<R>(stream: ClientReadableStream<R>): AsyncGenerator<R> {
  try {
    for await (const reply of stream) yield reply as R;
  } catch (error) {
    throw explain(error);
  } finally {
    stream.cancel();
  }
}

/** The server's error as ours; one sentence where there is no agent at all, or none that talks to us. */
export function explain(error: unknown): Error {
  const translated = fromStatus(error);
  if (!(translated instanceof UnavailableError)) return translated;
  const [, why, address] =
    /connect (ENOENT|ECONNREFUSED|EACCES|EPERM) (\S+?)\.?(?:\s|$)/.exec(translated.message) ?? [];
  if (address === undefined) return translated;
  return why === 'EACCES' || why === 'EPERM'
    ? new PermissionDeniedError(`may not talk to the agent at ${address}: only root may`, { cause: error })
    : new UnavailableError(`no agent answers at ${address}: is \`runlet agent\` running?`, { cause: error });
}
