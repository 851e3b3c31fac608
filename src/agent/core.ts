import { join } from 'node:path';
import { systemClock, type Clock } from '#async/clock.ts';
import { Rollback } from '#async/rollback.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import { detectHierarchy } from '#cgroup/hierarchy.ts';
import type { Config } from '#config/config.ts';
import { readMachineFacts } from '#host/machine.ts';
import { ImageStore } from '#images/image-store.ts';
import type { Images } from '#images/images.ts';
import { NodeTaskMaking } from '#kubernetes/making/node-task-making.ts';
import type { Log } from '#log/log.ts';
import { LogSweeper } from '#logs/log-sweeper.ts';
import { toMachineLimits, type MachineLimits } from '#oci/machine.ts';
import { OciRuntime } from '#runtime/oci-runtime.ts';
import { EventBus } from '#task/events.ts';
import type { ContainerEvent } from '#task/containers.ts';
import { parseNamespace, parseTaskId } from '#task/ids.ts';
import type { NamespaceEvent } from '#task/namespaces.ts';
import { TaskManager } from '#task/task-manager.ts';
import { cgroupPlaces, makeParent, removeUnusedParent } from './cgroup-places.ts';
import { applyBudget } from './node-budget.ts';
import { openStores, type Stores } from './stores.ts';

/** What makes tasks and knows of them, whoever asks for it. */
export interface Core extends Stores, AsyncDisposable {
  readonly clock: Clock;
  readonly machine: () => MachineLimits;
  readonly runtime: OciRuntime;
  readonly tasks: TaskManager;
  /** The cgroup that holds those of all tasks. */
  readonly budget: CgroupGroup;
  readonly images: Images;
  readonly making: NodeTaskMaking;
  readonly sweeper: LogSweeper;
  /** Changes of the records of containers and namespaces, for whoever listens. */
  readonly recordEvents: EventBus<ContainerEvent | NamespaceEvent>;
}

/** Makes the core; `recoverCore` is to follow before anybody asks anything of it. */
export async function openCore(config: Config, log: Log): Promise<Core> {
  const clock = systemClock;
  const recordEvents = new EventBus<ContainerEvent | NamespaceEvent>((error) =>
    log.error({ err: error }, 'a listener to changes of records failed'),
  );
  const publish = (event: ContainerEvent | NamespaceEvent) => recordEvents.publish(event);
  const stores = await openStores({ root: config.root, clock, log, onContainer: publish, onNamespace: publish });
  await using undo = new Rollback();
  const { runtime, tasks, budget } = openTasks(config, clock, log);
  undo.add(() => tasks.close());
  const images = await openImages(config, stores, clock, log);
  undo.add(() => images.close());
  const sweeper = new LogSweeper({
    ...{ logDir: config.logDir, keepMs: config.logKeep, clock, log },
    owned: (key) => isOwned(key, stores, tasks),
  });
  const making = new NodeTaskMaking({
    ...{ tasks, containers: stores.containers, images, clock, log, machine },
    root: config.root,
    logDir: config.logDir,
    hostPathAllow: config.hostPathAllow,
    defaultPidsLimit: config.defaultPidsLimit,
    logsKept: () => void sweeper.look(),
  });
  undo.keep();
  return {
    ...stores,
    ...{ clock, machine, runtime, tasks, budget, images, making, sweeper, recordEvents },
    [Symbol.asyncDispose]: async () => {
      sweeper[Symbol.dispose]();
      await tasks.close();
      await images.close();
      removeUnusedParent(detectHierarchy(), cgroupPlaces(config));
    },
  };
}

/** Takes on every task of former agents, and removes what was half made or nobody owns. */
export async function recoverCore({ tasks, making, sweeper }: Core): Promise<void> {
  await tasks.recover();
  await making.sweep();
  await sweeper.look();
}

function machine(): MachineLimits {
  return toMachineLimits(readMachineFacts());
}

function openTasks(
  config: Config,
  clock: Clock,
  log: Log,
): { readonly runtime: OciRuntime; readonly tasks: TaskManager; readonly budget: CgroupGroup } {
  const hierarchy = detectHierarchy();
  const places = cgroupPlaces(config);
  makeParent(hierarchy, places);
  const budget = new CgroupGroup(hierarchy, places.parent);
  applyBudget(budget, config, log);
  const runtime = new OciRuntime({
    stateDir: config.state,
    cgroupParent: places.parent,
    cgroupDriver: config.cgroupDriver,
    hierarchy,
    programsFolder: join(config.root, 'programs'),
    conmon: config.conmon,
    ...(config.criu === undefined ? {} : { criu: config.criu }),
    keepStats: config.metricsProfile,
    logRotation: { maxBytes: config.logMaxSize, maxFiles: config.logMaxFiles },
    clock,
    log,
  });
  const tasks = new TaskManager({
    ...{ runtime, clock, log },
    defaultRuntime: config.runtime,
    runtimeRootOf: (namespace) => join(config.state, 'runc', namespace),
    cgroupPathOf: places.pathOf,
  });
  return { runtime, tasks, budget };
}

async function openImages(config: Config, stores: Stores, clock: Clock, log: Log): Promise<ImageStore> {
  return await ImageStore.open({
    root: config.root,
    ...{ clock, log },
    ...(config.registryAuth === undefined ? {} : { registryAuth: config.registryAuth }),
    rootfsAllow: config.rootfsAllow,
    ownFolders: [config.root, config.state, config.logDir],
    inUse: () => stores.containers.list().flatMap(({ image }) => (image === '' ? [] : [image])),
  });
}

function isOwned(key: string, { containers }: Stores, tasks: TaskManager): boolean {
  const [namespace = '', id = ''] = key.split('/');
  try {
    const ref = { namespace: parseNamespace(namespace), id: parseTaskId(id) };
    return containers.find(ref) !== undefined || tasks.find(ref) !== undefined;
  } catch {
    return false; // no name of ours
  }
}
