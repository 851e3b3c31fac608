import type * as z from 'zod';
import {
  absolutePath,
  bytes,
  duration,
  hostAndPort,
  names,
  oneOf,
  paths,
  programNamed,
  text,
  wholeNumber,
  yesOrNo,
} from './values.ts';

/** Everything about one setting, said once: flags, environment, file, help and documentation are made of it. */
export interface Setting<T extends z.ZodType = z.ZodType> {
  readonly value: T;
  /** What stands for its value in help, such as FILE; absent for a switch. */
  readonly placeholder?: string;
  /** As it would be written; absent: there is none. */
  readonly default?: string | number | boolean;
  /** How the default is described where it depends on something. */
  readonly defaultText?: string;
  /** Given more than once on the command line. */
  readonly repeatable?: boolean;
  /** What it does, in a sentence or two. */
  readonly meaning: string;
}

function setting<T extends z.ZodType, const R extends Omit<Setting, 'value'>>(
  value: T,
  rest: R,
): R & { readonly value: T } {
  return { value, ...rest };
}

/** Every setting of the agent, by its name in a file; a flag is the name with hyphens, a variable with RUNLET_ before it. */
export const settings = {
  address: setting(absolutePath, {
    placeholder: 'SOCKET',
    default: '/run/runlet/runlet.sock',
    meaning: 'Unix socket of the gRPC API, made with mode 0600.',
  }),
  root: setting(absolutePath, {
    placeholder: 'DIR',
    default: '/var/lib/runlet',
    meaning: 'Folder for what outlives a reboot: images, layers, volumes, records.',
  }),
  state: setting(absolutePath, {
    placeholder: 'DIR',
    default: '/run/runlet',
    meaning: 'Folder for what does not outlive a reboot: bundles and the runtime’s state. One agent a folder.',
  }),
  logDir: setting(absolutePath, {
    placeholder: 'DIR',
    default: '/var/log/runlet',
    meaning: 'Folder for the logs of tasks, `<namespace>/<id>/<attempt>.log` in CRI format.',
  }),
  logMaxSize: setting(bytes, {
    placeholder: 'SIZE',
    default: '10Mi',
    meaning: 'Size in bytes from which a task’s log is rotated.',
  }),
  logMaxFiles: setting(wholeNumber(2, 1000), {
    placeholder: 'N',
    default: 5,
    meaning: 'Files of one log that are kept, the one being written included.',
  }),
  logKeep: setting(duration, {
    placeholder: 'TIME',
    default: '24h',
    meaning: 'How long logs outlive the object that they belong to.',
  }),
  checkpointMaxCount: setting(wholeNumber(0, 100_000), {
    placeholder: 'N',
    default: 100,
    meaning: 'Most checkpoints of NodeTasks that the node keeps; the oldest go first.',
  }),
  checkpointMaxSize: setting(bytes, {
    placeholder: 'SIZE',
    default: '20Gi',
    meaning: 'Most disk space that checkpoints of NodeTasks take together; the oldest go first.',
  }),
  checkpointKeep: setting(duration, {
    placeholder: 'TIME',
    default: '0',
    meaning: 'How long a checkpoint of a NodeTask is kept; 0 is for ever.',
  }),
  logLevel: setting(oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent'), {
    placeholder: 'LEVEL',
    default: 'info',
    meaning: 'The least important messages of the agent’s own log that are written.',
  }),
  logFormat: setting(oneOf('auto', 'json', 'text'), {
    placeholder: 'FORMAT',
    default: 'auto',
    meaning: 'How the agent’s own log is written to stderr; auto is text on a terminal, else json.',
  }),
  runtime: setting(text, {
    placeholder: 'PROGRAM',
    default: 'runc',
    meaning: 'The OCI runtime: a name on PATH or a path.',
  }),
  conmon: setting(text, {
    placeholder: 'PROGRAM',
    default: 'conmon',
    meaning: 'The monitor of each process: a name on PATH or a path.',
  }),
  criu: setting(programNamed('criu'), {
    placeholder: 'FILE',
    defaultText: '`criu` on PATH',
    meaning: 'The program that dumps and restores processes, by its absolute path; its name must be criu.',
  }),
  cgroupParent: setting(text, {
    placeholder: 'CGROUP',
    defaultText: '`/runlet`, with the systemd driver `runlet.slice`',
    meaning: 'Where the cgroups of tasks begin: a path from the root, or a slice with the systemd driver.',
  }),
  cgroupDriver: setting(oneOf('cgroupfs', 'systemd'), {
    placeholder: 'DRIVER',
    default: 'cgroupfs',
    meaning: 'Who makes cgroups: the runtime itself, or systemd at its request.',
  }),
  budgetMemory: setting(bytes, {
    placeholder: 'SIZE',
    defaultText: 'no limit',
    meaning: 'Most memory of all tasks of the node together, set on the cgroup that holds them.',
  }),
  budgetCpuWeight: setting(wholeNumber(1, 10_000), {
    placeholder: 'N',
    defaultText: 'the kernel’s',
    meaning: 'Share of CPU time of all tasks together beside other groups, as cgroup v2’s cpu.weight: 100 is usual.',
  }),
  budgetPids: setting(wholeNumber(1, 4_194_304), {
    placeholder: 'N',
    defaultText: 'no limit',
    meaning: 'Most processes and threads of all tasks together.',
  }),
  manifests: setting(absolutePath, {
    placeholder: 'DIR',
    meaning: 'Folder of NodeTask files that are the desired state. It must be root’s and nobody else’s to write.',
  }),
  kubernetes: setting(yesOrNo, {
    default: false,
    meaning: 'Takes the desired state from the cluster that the agent’s pod runs in.',
  }),
  kubeconfig: setting(absolutePath, {
    placeholder: 'FILE',
    meaning: 'Takes the desired state from the cluster that this file names.',
  }),
  nodeName: setting(text, {
    placeholder: 'NAME',
    defaultText: '`NODE_NAME`, else the host’s name',
    meaning: 'The node’s name, as NodeTasks have it in spec.nodeName.',
  }),
  rootfsAllow: setting(paths, {
    placeholder: 'DIR',
    repeatable: true,
    defaultText: 'none',
    meaning: 'Folder below which NodeTasks may name root file systems.',
  }),
  hostPathAllow: setting(paths, {
    placeholder: 'DIR',
    repeatable: true,
    defaultText: 'none',
    meaning: 'Folder below which NodeTasks may name hostPath volumes.',
  }),
  policy: setting(absolutePath, {
    placeholder: 'FILE',
    meaning: 'Rules of the node’s administrator for what a cluster’s tasks may be; docs/security.md has its fields.',
  }),
  streamAddress: setting(hostAndPort, {
    placeholder: 'HOST:PORT',
    defaultText: '`127.0.0.1:9621` with `--kubernetes`, else none',
    meaning:
      'Where `kubectl runlet` reaches exec, attach, logs and top, through a port-forward of the API server; loopback only. Without it there are no such sessions.',
  }),
  podSecurityDefault: setting(oneOf('privileged', 'baseline', 'restricted'), {
    placeholder: 'LEVEL',
    default: 'baseline',
    meaning: 'Pod security level of a Kubernetes namespace that has no label for it.',
  }),
  defaultPidsLimit: setting(wholeNumber(1, 4_194_304), {
    placeholder: 'N',
    default: 2048,
    meaning: 'Most processes and threads of a NodeTask that says nothing of it.',
  }),
  registryAuth: setting(absolutePath, {
    placeholder: 'FILE',
    meaning: 'Credentials for registries, in the format of Docker’s config.json; there is no other source.',
  }),
  metricsAddress: setting(hostAndPort, {
    placeholder: 'HOST:PORT',
    default: '127.0.0.1:9620',
    meaning: 'Where /metrics, /healthz and /readyz are served.',
  }),
  metricsProfile: setting(oneOf('basic', 'standard', 'full'), {
    placeholder: 'PROFILE',
    default: 'standard',
    meaning: 'How many metrics there are of each task: about 25 series, 55 or 110; docs/metrics.md lists them.',
  }),
  metricsAuth: setting(oneOf('none', 'mtls', 'kubernetes', 'jwt'), {
    placeholder: 'WAY',
    defaultText: '`none` on loopback',
    meaning:
      'Who may read /metrics: anybody (on loopback only), a client certificate of metricsClientCa, or a token that the cluster grants it to, asked of its API or checked by its keys (jwt).',
  }),
  metricsTlsCert: setting(absolutePath, {
    placeholder: 'FILE',
    meaning: 'Certificate of /metrics, PEM; read anew when it changes.',
  }),
  metricsTlsKey: setting(absolutePath, {
    placeholder: 'FILE',
    meaning: 'Its private key, PEM; read anew when it changes.',
  }),
  metricsClientCa: setting(absolutePath, {
    placeholder: 'FILE',
    meaning: 'Authorities whose clients may read /metrics, PEM; read anew when it changes.',
  }),
  metricsAllow: setting(names, {
    placeholder: 'NAME',
    repeatable: true,
    defaultText: 'everybody whom `--metrics-auth` knows',
    meaning:
      'Who of them may read /metrics: with mtls the common name, a DNS name, a URI or a mail address of the certificate, with jwt the subject of the token, `system:serviceaccount:NAMESPACE:NAME`.',
  }),
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

/** Values of settings from outside, not yet looked at. */
export type RawSettings = Readonly<Partial<Record<SettingName, unknown>>>;

type Value<K extends SettingName> = z.output<(typeof settings)[K]['value']>;
type WithDefault = {
  [K in SettingName]: (typeof settings)[K] extends { readonly default: unknown } | { readonly repeatable: true }
    ? K
    : never;
}[SettingName];

/** The settings as they were checked, each by itself: what has a default is there, what can be repeated is a list. */
export type CheckedSettings = { readonly [K in SettingName]: K extends WithDefault ? Value<K> : Value<K> | undefined };

/** `logMaxSize` → `--log-max-size`. */
export function flagOf(name: string): string {
  return `--${hyphened(name)}`;
}

/** `logMaxSize` → `RUNLET_LOG_MAX_SIZE`. */
export function variableOf(name: string): string {
  return `RUNLET_${hyphened(name).replaceAll('-', '_').toUpperCase()}`;
}

function hyphened(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
