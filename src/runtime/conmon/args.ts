import type { ProcessFolder } from '../process-folder.ts';

/** How conmon and the runtime below it are to be called for one process. */
export interface MonitorCall {
  /** Absolute path of the runtime's binary. */
  readonly runtime: string;
  /** The runtime's global options: its root, log and cgroup driver. */
  readonly runtimeArgs: readonly string[];
  readonly containerId: string;
  /** conmon's own name for the process, unique on the node. */
  readonly uuid: string;
  readonly bundle: string;
  readonly folder: ProcessFolder;
  readonly streams: MonitorStreams;
  readonly kind: MonitorKind;
}

/** What conmon has to do with a process's streams. */
export interface MonitorStreams {
  /** Nothing, or keep pipes for attached clients and write this CRI log (`off`: none). */
  readonly log: 'passthrough' | 'off' | { readonly path: string };
  readonly terminal: boolean;
  /** Whether there is a stdin that attached clients write to; `once`: it ends with the first that leaves. */
  readonly stdin: 'none' | 'open' | 'once';
}

export type MonitorKind =
  | { readonly verb: 'create' }
  | { readonly verb: 'restore'; readonly imagePath: string; readonly options: readonly string[] }
  | {
      readonly verb: 'exec';
      readonly processFile: string;
      /** Whether conmon waits, before it runs it, until somebody has attached. */
      readonly attachFirst: boolean;
    };

/** conmon's command line. Options: conmon(8) of 2.1; `--runtime-arg` stands before the runtime's verb, `--runtime-opt` after it. */
export function monitorArgs(call: MonitorCall): string[] {
  const { folder, kind } = call;
  return [
    '--api-version',
    ...['-c', call.containerId, '-u', call.uuid, '-n', call.containerId],
    ...['-r', call.runtime],
    ...['-b', kind.verb === 'exec' ? folder.path : call.bundle],
    ...['-p', folder.file('pid'), '-P', folder.file('conmon.pid')],
    ...['--persist-dir', folder.persist],
    ...streamArgs(call.streams),
    ...['--full-attach', '--no-sync-log', '--log-level', 'warning'],
    ...call.runtimeArgs.flatMap((argument) => ['--runtime-arg', argument]),
    ...kindArgs(kind),
  ];
}

function streamArgs({ log, terminal, stdin }: MonitorStreams): string[] {
  const input = terminal || stdin !== 'none';
  return [
    ...['-l', typeof log === 'string' ? log : `k8s-file:${log.path}`],
    ...(terminal ? ['-t'] : []),
    ...(input ? ['-i'] : []),
    ...(input && (terminal || stdin === 'open') ? ['--leave-stdin-open'] : []),
  ];
}

function kindArgs(kind: MonitorKind): string[] {
  switch (kind.verb) {
    case 'create':
      return [];
    case 'restore':
      return ['--restore', kind.imagePath, ...kind.options.flatMap((option) => ['--runtime-opt', option])];
    case 'exec':
      return ['-e', ...(kind.attachFirst ? ['--exec-attach'] : []), '--exec-process-spec', kind.processFile];
  }
}
