import { resolve } from 'node:path';
import { InvalidArgumentError } from '#errors/errors.ts';
import type { Flags } from './flags.ts';
import type { Shell } from './shell.ts';

/** The spec of a NodeTask, as the agent checks it. */
export type TaskSpec = Readonly<Record<string, unknown>>;

/** Flag → where its quantity stands in `resources`. */
const quantities: readonly (readonly [flag: string, ...path: readonly string[]])[] = [
  ['cpu', 'limits', 'cpu'],
  ['memory', 'limits', 'memory'],
  ['pids', 'limits', 'pids'],
  ['cpuRequest', 'requests', 'cpu'],
  ['memoryRequest', 'requests', 'memory'],
  ['memoryHigh', 'memoryHigh'],
  ['memorySwap', 'memorySwap'],
  ['cpusetCpus', 'cpuset', 'cpus'],
  ['cpusetMems', 'cpuset', 'mems'],
];

/** `resources` of the flags that are given; undefined when none is. */
export function resourcesOf(flags: Flags): TaskSpec | undefined {
  const resources: Record<string, unknown> = {};
  for (const [flag, first = '', second] of quantities) {
    const value = flags.text(flag);
    if (value === undefined) continue;
    if (second === undefined) resources[first] = value;
    else resources[first] = { ...(resources[first] as object | undefined), [second]: value };
  }
  const weight = flags.count('ioWeight');
  if (weight !== undefined) resources['io'] = { weight };
  return Object.keys(resources).length > 0 ? resources : undefined;
}

/** The spec of a task to run by hand. Throws InvalidArgumentError naming the flag. */
export function taskSpecOf(
  flags: Flags,
  shell: Pick<Shell, 'cwd' | 'env'>,
  task: { readonly image?: string; readonly command: readonly string[]; readonly stdin: boolean },
): TaskSpec {
  const rootfs = flags.text('rootfs');
  const tty = flags.is('tty');
  const grace = flags.durationMs('stopTimeout');
  return defined({
    image: task.image,
    rootfs: rootfs === undefined ? undefined : { path: resolve(shell.cwd, rootfs) },
    imagePullPolicy: choice(flags.text('pull'), pullPolicies),
    ...commandOf(flags, task.command, rootfs !== undefined),
    workingDir: flags.text('workdir'),
    env: environmentOf(flags, shell, tty),
    tty: tty || undefined,
    stdin: task.stdin || undefined,
    ...volumesOf(flags, shell.cwd),
    resources: resourcesOf(flags),
    securityContext: securityOf(flags),
    network: { mode: flags.text('network') === 'host' ? 'Host' : 'None' },
    restartPolicy: choice(flags.text('restart'), restartPolicies) ?? 'Never',
    stopSignal: flags.text('stopSignal'),
    terminationGracePeriodSeconds: grace === undefined ? undefined : Math.ceil(grace / 1000),
  });
}

/** `--restart` by its names here and docker's. */
const restartPolicies = { no: 'Never', 'on-failure': 'OnFailure', always: 'Always' } as const;

const pullPolicies = { always: 'Always', missing: 'IfNotPresent', never: 'Never' } as const;

function choice<V>(name: string | undefined, values: Readonly<Record<string, V>>): V | undefined {
  return name === undefined ? undefined : values[name];
}

/** As with docker: the arguments take the place of the image's, its entrypoint stays unless a flag names another. */
function commandOf(flags: Flags, args: readonly string[], plain: boolean): TaskSpec {
  const entrypoint = flags.text('entrypoint');
  const texts = args.map(literal);
  if (entrypoint !== undefined) return { command: [literal(entrypoint)], args: texts };
  if (args.length === 0) return {};
  return plain ? { command: texts } : { args: texts };
}

/** In a NodeTask a dollar may begin a reference to a variable; what is typed here has been through a shell already. */
function literal(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/** `NAME=VALUE`, or `NAME` for the client's own value. */
function environmentOf(flags: Flags, { env }: Pick<Shell, 'env'>, tty: boolean): readonly object[] | undefined {
  const given = environment(flags.texts('env'), env).map((entry) => {
    const [name = '', ...value] = entry.split('=');
    return { name, value: literal(value.join('=')) };
  });
  const term = env['TERM'];
  if (tty && term && !given.some(({ name }) => name === 'TERM')) given.unshift({ name: 'TERM', value: term });
  return given.length > 0 ? given : undefined;
}

/** Each `-e`: `NAME=VALUE` as it is, `NAME` with the client's own value, nothing where the client has none. */
export function environment(given: readonly string[], env: Shell['env']): readonly string[] {
  return given.flatMap((entry) => {
    if (entry === '' || entry.startsWith('=')) {
      throw new InvalidArgumentError(`--env must be NAME=VALUE or NAME, not "${entry}"`);
    }
    if (entry.includes('=')) return [entry];
    const own = env[entry];
    return own === undefined ? [] : [`${entry}=${own}`];
  });
}

function volumesOf(flags: Flags, cwd: string): TaskSpec {
  const bound = flags.texts('volume').map((text, index) => volumeOf(text, `v${index}`, cwd));
  const memory = flags.texts('tmpfs').map((mountPath, index) => ({
    volume: { name: `t${index}`, emptyDir: { medium: 'Memory' } },
    mount: { name: `t${index}`, mountPath },
  }));
  const all = [...bound, ...memory];
  if (all.length === 0) return {};
  return { volumes: all.map(({ volume }) => volume), volumeMounts: all.map(({ mount }) => mount) };
}

/** `SOURCE:TARGET`, with `:ro` for reading only. */
function volumeOf(text: string, name: string, cwd: string) {
  const [source = '', mountPath = '', mode = 'rw', ...rest] = text.split(':');
  if (!source || !mountPath.startsWith('/') || !['ro', 'rw'].includes(mode) || rest.length > 0) {
    throw new InvalidArgumentError(`--volume must be SOURCE:/TARGET or SOURCE:/TARGET:ro, not "${text}"`);
  }
  return {
    volume: { name, hostPath: { path: resolve(cwd, source) } },
    mount: { name, mountPath, ...(mode === 'ro' ? { readOnly: true } : {}) },
  };
}

function securityOf(flags: Flags): TaskSpec | undefined {
  const [add, drop] = [flags.texts('capAdd'), flags.texts('capDrop')].map((names) => names.map(capability));
  const security = defined({
    readOnlyRootFilesystem: flags.is('readOnly') || undefined,
    privileged: flags.is('privileged') || undefined,
    capabilities:
      add?.length || drop?.length ? { ...(add?.length ? { add } : {}), ...(drop?.length ? { drop } : {}) } : undefined,
  });
  return Object.keys(security).length > 0 ? security : undefined;
}

function capability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '');
}

function defined(fields: TaskSpec): TaskSpec {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
