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
  /** What conmon does with the streams: nothing, or keep pipes and write this CRI log (`off` writes none). */
  readonly log: 'passthrough' | 'off' | { readonly path: string };
  readonly terminal: boolean;
  /** Whether conmon holds a stdin that clients can write to. */
  readonly stdin: boolean;
  readonly kind:
    | { readonly verb: 'create' }
    | { readonly verb: 'restore'; readonly imagePath: string; readonly options: readonly string[] }
    | { readonly verb: 'exec'; readonly processFile: string };
}

/** conmon's command line. Options: conmon(8) of 2.1; `--runtime-arg` stands before the runtime's verb, `--runtime-opt` after it. */
export function monitorArgs(call: MonitorCall): string[] {
  const { folder, log, kind } = call;
  const logPath = typeof log === 'string' ? log : `k8s-file:${log.path}`;
  const streams = [
    ...(call.terminal ? ['-t'] : []),
    ...(call.stdin || call.terminal ? ['-i', '--leave-stdin-open'] : []),
  ];
  return [
    '--api-version',
    ...['-c', call.containerId, '-u', call.uuid, '-n', call.containerId],
    ...['-r', call.runtime],
    ...['-b', kind.verb === 'exec' ? folder.path : call.bundle],
    ...['-p', folder.file('pid'), '-P', folder.file('conmon.pid')],
    ...['--persist-dir', folder.persist],
    ...['-l', logPath, ...streams],
    ...['--full-attach', '--no-sync-log', '--log-level', 'warning'],
    ...call.runtimeArgs.flatMap((argument) => ['--runtime-arg', argument]),
    ...kindArgs(kind),
  ];
}

function kindArgs(kind: MonitorCall['kind']): string[] {
  switch (kind.verb) {
    case 'create':
      return [];
    case 'restore':
      return ['--restore', kind.imagePath, ...kind.options.flatMap((option) => ['--runtime-opt', option])];
    case 'exec':
      return ['-e', '--exec-process-spec', kind.processFile];
  }
}
