import { join } from 'node:path';
import { Rollback } from '#async/rollback.ts';
import { exists, makeFolder } from '#host/files.ts';
import { copyTree } from '#host/trees.ts';
import type { Image, Images, RootfsSource } from '#images/images.ts';
import type { MachineLimits } from '#oci/machine.ts';
import { parseSignal } from '#oci/signal.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import type { ProcessIo } from '#task/io.ts';
import { applyVolumes, removeVolumes } from '../node-task/apply-volumes.ts';
import { resolveVariables } from '../node-task/env.ts';
import { toRuntimeSpec, type RuntimeSpecResult } from '../node-task/runtime-spec.ts';
import type { NodeTask } from '../node-task/types.ts';
import { userText, type ResolvedUser } from '../node-task/user.ts';
import { planVolumes, volumeWarnings } from '../node-task/volumes.ts';
import type { MakeOptions, PreparedTask } from './making.ts';
import { nodeDevices } from './node-devices.ts';
import { readSeccompProfile } from './seccomp-profile.ts';

/** What preparing needs to know of the node and its agent. */
export interface PrepareContext {
  readonly images: Images;
  /** The agent's durable folder; volumes are in `<root>/volumes`, seccomp profiles in `<root>/seccomp`. */
  readonly root: string;
  readonly logDir: string;
  readonly hostPathAllow: readonly string[];
  readonly defaultPidsLimit: number;
  /** Read anew each time: profiles of AppArmor come and go. */
  readonly machine: () => MachineLimits;
}

/** Where an object's volumes and staged mounts are. */
export function volumesFolder(root: string, ref: TaskRef): string {
  return join(root, 'volumes', ref.namespace, ref.id);
}

/** Where the logs of an object's runs are. */
export function logFolder(logDir: string, ref: TaskRef): string {
  return join(logDir, ref.namespace, ref.id);
}

/** TaskMaking.prepare. */
export async function prepareTask(
  context: PrepareContext,
  task: NodeTask,
  options: MakeOptions,
): Promise<PreparedTask> {
  const { ref, attempt } = options;
  await using undo = new Rollback();
  const image = await ensureImage(context, task, options);
  const rootfs = await context.images.rootfs(rootfsSource(task, image, options), refKey(ref), cancellable(options));
  undo.add(() => context.images.removeRootfs(refKey(ref)));
  const { restoreLayer } = options;
  if (restoreLayer !== undefined) await copyTree(restoreLayer, context.images.layerPath(refKey(ref)), options.signal);
  const user = await context.images.userOf(rootfs.lower, userText(task, options.user ?? image?.config.user));
  const fresh = !(await exists(volumesFolder(context.root, ref)));
  if (fresh) undo.add(() => removeVolumes(volumesFolder(context.root, ref)));
  const { spec, warnings, notSupported } = await makeSpec(context, task, options, { image, user });
  for (const warning of [...warnings, ...volumeWarnings(task)]) options.onWarning?.(warning);
  const log = logFolder(context.logDir, ref);
  await makeFolder(log, 0o755);
  undo.keep();
  return {
    request: {
      ...ref,
      spec,
      io: ioOf(task, join(log, `${attempt}.log`), options),
      rootfs: rootfs.mounts,
      owner: { ...options.owner, maker: 'runlet', attempt: String(attempt) },
      ...(options.restoreFrom === undefined ? {} : { restoreFrom: options.restoreFrom }),
    },
    ...(image ? { image } : {}),
    stopSignal: parseSignal(task.spec.stopSignal ?? image?.config.stopSignal ?? 'TERM'),
    notSupported,
    undo: async () => {
      await context.images.removeRootfs(refKey(ref));
      if (fresh) await removeVolumes(volumesFolder(context.root, ref));
    },
  };
}

async function ensureImage(
  { images }: PrepareContext,
  { spec }: NodeTask,
  options: MakeOptions,
): Promise<Image | undefined> {
  if (spec.image === undefined) return undefined;
  return await images.ensure(spec.image, {
    policy: spec.imagePullPolicy ?? usualPolicy(spec.image),
    localPaths: options.trust !== 'cluster',
    ...(options.baseDir === undefined ? {} : { baseDir: options.baseDir }),
    ...cancellable(options),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
  });
}

/** As for a Pod: what `latest` or no tag means moves on, so it is asked for each time. */
export function usualPolicy(reference: string): 'Always' | 'IfNotPresent' {
  const name = reference.slice(reference.lastIndexOf('/') + 1);
  if (name.includes('@')) return 'IfNotPresent';
  const tag = name.includes(':') ? name.slice(name.lastIndexOf(':') + 1) : '';
  return tag === '' || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function rootfsSource({ spec }: NodeTask, image: Image | undefined, { trust }: MakeOptions): RootfsSource {
  return image ?? { path: spec.rootfs?.path ?? '', anywhere: trust === 'person' };
}

async function makeSpec(
  context: PrepareContext,
  task: NodeTask,
  options: MakeOptions,
  found: { readonly image: Image | undefined; readonly user: ResolvedUser },
): Promise<RuntimeSpecResult> {
  const { securityContext: security } = task.spec;
  const profile = security?.seccompProfile?.localhostProfile;
  const localSeccomp = profile === undefined ? undefined : await readSeccompProfile(context.root, profile);
  const variables = await resolveVariables(task, options.config);
  const plan = planVolumes(task, {
    folder: volumesFolder(context.root, options.ref),
    hostPathAllow: options.trust === 'person' ? ['/'] : context.hostPathAllow,
  });
  const request = {
    ...{ task, user: found.user, variables },
    machine: context.machine(),
    defaultPidsLimit: context.defaultPidsLimit,
    ...(found.image ? { image: found.image.config } : {}),
    ...(localSeccomp ? { localSeccomp } : {}),
    ...(security?.privileged ? { devices: nodeDevices() } : {}),
  };
  // Judged before anything is made: mounts of volumes do not change what the process may do.
  await options.admit?.(toRuntimeSpec({ ...request, mounts: [] }).spec);
  const mounts = await applyVolumes(plan, { config: options.config, ...cancellable(options) });
  return toRuntimeSpec({ ...request, mounts });
}

/** The streams: a log always, stdin and terminal as the object says. */
function ioOf({ spec }: NodeTask, path: string, { stdinOnce = false }: MakeOptions): ProcessIo {
  return { kind: 'log', terminal: spec.tty, stdin: spec.stdin, ...(stdinOnce ? { stdinOnce } : {}), path };
}

function cancellable({ signal }: MakeOptions): { readonly signal?: AbortSignal } {
  return signal ? { signal } : {};
}
