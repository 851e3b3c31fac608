import { Server, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Log } from '#log/log.ts';
import type { ContainerEvent } from '#task/containers.ts';
import type { LeaseStore } from '#task/leases.ts';
import type { NamespaceEvent, NamespaceStore } from '#task/namespaces.ts';
import { EventBus, type TaskEvent } from '#task/events.ts';
import { ContainersService } from './gen/containerd/services/containers/v1/containers.ts';
import { EventsService, type Envelope } from './gen/containerd/services/events/v1/events.ts';
import { IntrospectionService } from './gen/containerd/services/introspection/v1/introspection.ts';
import { LeasesService } from './gen/containerd/services/leases/v1/leases.ts';
import { NamespacesService } from './gen/containerd/services/namespaces/v1/namespaces.ts';
import { TasksService } from './gen/containerd/services/tasks/v1/tasks.ts';
import { VersionService } from './gen/containerd/services/version/v1/version.ts';
import type { Any } from './gen/google/protobuf/any.ts';
import { HealthService } from './gen/grpc/health/v1/health.ts';
import { ServerReflectionService } from './gen/grpc/reflection/v1/reflection.ts';
import { ServerReflectionService as ServerReflectionAlphaService } from './gen/grpc/reflection/v1alpha/reflection.ts';
import { RunletService } from './gen/runlet/v1/runlet.ts';
import { toContainerEventAny, toEventAny, toNamespaceEventAny } from './convert/events.ts';
import { toTimestamp } from './convert/timestamp.ts';
import { Handlers } from './handler.ts';
import { endServer, listenAt } from './listening.ts';
import { containersService } from './services/containers.ts';
import { eventsService } from './services/events.ts';
import { healthService } from './services/health.ts';
import { introspectionService, type ServerIdentity } from './services/introspection.ts';
import { leasesService } from './services/leases.ts';
import { namespacesService } from './services/namespaces.ts';
import { servicesNotHere } from './services/not-here.ts';
import { reflectionService } from './services/reflection.ts';
import { runletService, type RunletOptions } from './services/runlet.ts';
import { tasksService, type TasksOptions } from './services/tasks.ts';
import { versionService } from './services/version.ts';

/** Guards the socket's file, which agent.ts knows how to. */
export interface SocketFile {
  /** Clears the way: removes what a dead agent left, makes the folder. Throws when somebody answers there. */
  prepare(path: string): Promise<void>;
  /** Lets nobody but root in. */
  protect(path: string): Promise<void>;
  remove(path: string): Promise<void>;
}

export interface ApiServerOptions extends RunletOptions, TasksOptions {
  readonly address: string;
  readonly version: string;
  readonly namespaces: NamespaceStore;
  readonly leases: LeaseStore;
  readonly identity: ServerIdentity;
  readonly socketFile: SocketFile;
  /** How many events a subscriber may be behind before it is let go; 10,000 where nothing is said. */
  readonly longestEventQueue?: number;
  readonly log: Log;
}

/** As containerd's, both ways. */
const largestMessageBytes = 16 * 1024 * 1024;

/** containerd's services and our own on one unix socket. */
export class ApiServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #options: ApiServerOptions;
  readonly #bus: EventBus<Envelope>;
  readonly #subscription: Disposable;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#bus = new EventBus((error) => options.log.error({ err: error }, 'a subscriber to events failed'));
    this.#subscription = options.tasks.events.subscribe((event) => this.#bus.publish(toEnvelope(event)));
    this.#server = new Server({
      'grpc.max_receive_message_length': largestMessageBytes,
      'grpc.max_send_message_length': largestMessageBytes,
      'grpc.enable_channelz': 0,
    });
    this.#addServices(new Handlers(options.log));
  }

  #addServices(handlers: Handlers): void {
    const options = this.#options;
    const names = new Set<string>();
    const add = <T extends UntypedServiceImplementation>(definition: ServiceDefinition<T>, implementation: T) => {
      for (const { path } of Object.values(definition)) names.add(path.split('/')[1] ?? '');
      this.#server.addService(definition, implementation);
    };
    add(TasksService, tasksService(handlers, options));
    add(ContainersService, containersService(handlers, options.containers, options.tasks));
    add(NamespacesService, namespacesService(handlers, options.namespaces));
    add(LeasesService, leasesService(handlers, options.leases));
    add(EventsService, eventsService(handlers, this.#bus, options.longestEventQueue));
    add(VersionService, versionService(handlers, options.version));
    add(IntrospectionService, introspectionService(handlers, options.identity));
    add(RunletService, runletService(handlers, options));
    add(HealthService, healthService(handlers, names));
    const reflection = reflectionService(handlers, names);
    add(ServerReflectionService, reflection);
    add(ServerReflectionAlphaService, reflection);
    for (const [definition, implementation] of servicesNotHere()) this.#server.addService(definition, implementation);
  }

  /** Tells subscribers of a change of the container records. */
  tellContainer(event: ContainerEvent): void {
    this.#tell(event.topic, event.container.namespace, toContainerEventAny(event));
  }

  /** The same of a namespace. */
  tellNamespace(event: NamespaceEvent): void {
    this.#tell(event.topic, event.namespace.name, toNamespaceEventAny(event));
  }

  #tell(topic: string, namespace: string, event: Any): void {
    this.#bus.publish({ timestamp: toTimestamp(Date.now()), namespace, topic, event });
  }

  /** Begins to listen, for root alone. Throws FailedPreconditionError when another agent answers there. */
  async listen(): Promise<void> {
    const { address, socketFile } = this.#options;
    await socketFile.prepare(address);
    await listenAt(this.#server, `unix:${address}`, address);
    await socketFile.protect(address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscription[Symbol.dispose]();
    await endServer(this.#server);
    await this.#options.socketFile.remove(this.#options.address);
  }
}

function toEnvelope(event: TaskEvent): Envelope {
  return {
    timestamp: toTimestamp(event.atMs),
    namespace: event.namespace,
    topic: event.topic,
    event: toEventAny(event),
  };
}
