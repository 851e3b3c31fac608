import { TerminalError } from '#errors/errors.ts';
import { defaultSpec } from '#oci/default-spec.ts';
import type { SpecRequest } from '#oci/default-spec.ts';
import { fitToMachine } from '#oci/fit.ts';
import type { MachineLimits } from '#oci/machine.ts';
import type { DeviceSpec, MountSpec, RuntimeSpec, SeccompSpec } from '#oci/runtime-spec.ts';
import { confine } from './confinement.ts';
import { expand, toEnvironment } from './env.ts';
import type { Variables } from './env.ts';
import { toLinuxResources } from './resources.ts';
import type { NodeTask } from './types.ts';
import { toUserSpec } from './user.ts';
import type { ResolvedUser } from './user.ts';

/** What an image says about the process; the task's own fields come before it. */
export interface ImageDefaults {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: readonly string[];
  readonly workingDir?: string;
}

export interface RuntimeSpecRequest {
  readonly task: NodeTask;
  /** Absent with a plain root file system. */
  readonly image?: ImageDefaults;
  /** The user of `userText`, looked up in the root file system. */
  readonly user: ResolvedUser;
  readonly variables: Variables;
  /** What applyVolumes returned. */
  readonly mounts: readonly MountSpec[];
  readonly machine: MachineLimits;
  readonly defaultPidsLimit: number;
  /** `rootfs` in the bundle unless an absolute path. */
  readonly rootPath?: string;
  /** The file of a Localhost seccomp profile, read by readSeccompProfile. */
  readonly localSeccomp?: SeccompSpec;
  /** The node's devices, for privileged tasks. */
  readonly devices?: readonly DeviceSpec[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RuntimeSpecResult {
  readonly spec: RuntimeSpec;
  /** What was left out because this machine cannot do it; the same for many tasks, so that each is logged once. */
  readonly warnings: readonly string[];
  /** Fields below spec.resources that this machine cannot do. */
  readonly notSupported: readonly string[];
}

const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The OCI specification of a NodeTask. Pure. Throws TerminalError for what only a change of the object can mend. */
export function toRuntimeSpec(request: RuntimeSpecRequest): RuntimeSpecResult {
  const { task, image, machine, defaultPidsLimit } = request;
  const { spec } = task;
  const { warnings, ...confinement } = confine(spec.securityContext ?? {}, machine, request.localSeccomp);
  const { linux: resources, notSupported } = toLinuxResources(spec.resources, { machine, defaultPidsLimit });
  const wanted = defaultSpec({
    ...confinement,
    ...identity(task),
    args: commandLine(task, image, request.variables),
    env: toEnvironment(image?.env ?? [], request.variables, usualVariables(request)),
    cwd: spec.workingDir ?? absolute(image?.workingDir),
    user: toUserSpec(task, request.user),
    terminal: spec.tty,
    rootPath: request.rootPath ?? 'rootfs',
    devices: confinement.privileged ? request.devices : undefined,
    mounts: request.mounts,
    resources,
    annotations: request.annotations,
  });
  const fitted = fitToMachine(wanted, machine);
  return { spec: fitted.spec, warnings: [...warnings, ...fitted.warnings], notSupported };
}

/** With the node's network the task has the node's name too. */
function identity({ metadata, spec }: NodeTask): Pick<SpecRequest, 'hostname' | 'network'> {
  return spec.network?.mode === 'Host'
    ? { hostname: undefined, network: 'host' }
    : { hostname: metadata.name, network: 'none' };
}

/** As in a Pod: `command` takes the place of entrypoint and command of the image, `args` alone only that of the command. */
function commandLine(task: NodeTask, image: ImageDefaults | undefined, variables: Variables): readonly string[] {
  const { command = [], args = [] } = task.spec;
  const own = (texts: readonly string[]) => texts.map((text) => expand(text, variables));
  const line =
    command.length > 0
      ? own([...command, ...args])
      : [...(image?.entrypoint ?? []), ...(args.length > 0 ? own(args) : (image?.cmd ?? []))];
  if (line.length > 0) return line;
  throw new TerminalError('InvalidSpec', 'spec.command: the image names no program; say which one to run');
}

function usualVariables({ task, user }: RuntimeSpecRequest): Readonly<Record<string, string>> {
  return {
    PATH: usualPath,
    ...(task.spec.network?.mode === 'Host' ? {} : { HOSTNAME: task.metadata.name }),
    ...(task.spec.tty ? { TERM: 'xterm' } : {}),
    HOME: user.home || '/',
  };
}

function absolute(folder: string | undefined): string {
  return folder?.startsWith('/') ? folder : `/${folder ?? ''}`;
}
