import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Excess } from './envelope.ts';

/** `RLIMIT_…` → the name of its line in `/proc/PID/limits` (proc(5)). */
const limitLines: Readonly<Record<string, string>> = {
  RLIMIT_CPU: 'Max cpu time',
  RLIMIT_FSIZE: 'Max file size',
  RLIMIT_DATA: 'Max data size',
  RLIMIT_STACK: 'Max stack size',
  RLIMIT_CORE: 'Max core file size',
  RLIMIT_RSS: 'Max resident set',
  RLIMIT_NPROC: 'Max processes',
  RLIMIT_NOFILE: 'Max open files',
  RLIMIT_MEMLOCK: 'Max locked memory',
  RLIMIT_AS: 'Max address space',
  RLIMIT_LOCKS: 'Max file locks',
  RLIMIT_SIGPENDING: 'Max pending signals',
  RLIMIT_MSGQUEUE: 'Max msgqueue size',
  RLIMIT_NICE: 'Max nice priority',
  RLIMIT_RTPRIO: 'Max realtime priority',
  RLIMIT_RTTIME: 'Max realtime timeout',
};

/** Who has it raises every limit, and lowers its own badness. */
const limitless = 'CAP_SYS_RESOURCE';

/** How a process's limits and its badness lie outside of its task's specification. Pure. */
export function limitExcesses(
  { process }: RuntimeSpec,
  { limits, oomScoreAdj }: { readonly limits: string; readonly oomScoreAdj: string },
): readonly Excess[] {
  if (process?.capabilities?.bounding?.includes(limitless)) return [];
  const raised = (process?.rlimits ?? []).flatMap(({ type, hard }) => {
    const now = hardLimit(limits, limitLines[type]);
    return now === undefined || now <= hard ? [] : [{ field: `limits (${type})`, what: `is ${now}, above ${hard}` }];
  });
  const wanted = process?.oomScoreAdj;
  const badness = Number(oomScoreAdj);
  return wanted === undefined || badness >= wanted
    ? raised
    : [...raised, { field: 'oom_score_adj', what: `is ${badness}, below ${wanted}` }];
}

function hardLimit(limits: string, line: string | undefined): number | undefined {
  const text = limits.split('\n').find((one) => line !== undefined && one.startsWith(`${line} `));
  const hard = text?.slice(line?.length).trim().split(/\s+/)[1];
  if (hard === undefined) return undefined;
  return hard === 'unlimited' ? Infinity : Number(hard);
}
