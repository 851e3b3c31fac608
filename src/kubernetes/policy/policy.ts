import { CORE_SCHEMA, load } from 'js-yaml';
import { InvalidArgumentError, TerminalError, errorMessage } from '#errors/errors.ts';
import { readText } from '#host/files.ts';
import { parseReference } from '#images/reference.ts';
import { fieldPath, problemText, toProblems, type Problem } from '../node-task/problem.ts';
import { parseBytes, parseMilliCpu } from '../node-task/quantity.ts';
import type { NodeTask, QuantityText, Resources } from '../node-task/types.ts';
import type { PodSecurityLevel } from '../reconcile/source.ts';
import { narrower } from '../security/judge.ts';
import { policySchema, type PolicyDocument } from './schema.ts';

/** Reads the file of `--policy`. Throws InvalidArgumentError that names every wrong field and its rule. */
export async function readPolicy(path: string): Promise<Policy> {
  const text = await readText(path);
  if (text === undefined) throw new InvalidArgumentError(`policy ${path}: there is no such file`);
  try {
    return parsePolicy(text);
  } catch (error) {
    throw new InvalidArgumentError(`policy ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

/** Parses it. An empty file allows everything that a namespace's level does. */
export function parsePolicy(text: string): Policy {
  const parsed = policySchema.safeParse(parseYaml(text) ?? {});
  const problems = parsed.success ? documentProblems(parsed.data) : toProblems(parsed.error);
  if (!parsed.success || problems.length > 0) throw new InvalidArgumentError(problems.map(problemText).join('; '));
  return new Policy(parsed.data);
}

/** Which sessions are recorded, and how long their recordings are kept. */
export interface RecordingPolicy {
  /** Required: no session without one. */
  readonly modeOf: (kubeNamespace: string) => 'None' | 'WherePossible' | 'Required';
  /** Whether what is typed is written down, too. */
  readonly typed: boolean;
  /** Of one recording. */
  readonly maxBytes: number;
  readonly keepMs: number;
  /** On the node. */
  readonly maxFiles: number;
}

/** What the node's administrator lets tasks of a cluster be. It only narrows. */
export class Policy {
  readonly #document: PolicyDocument;

  constructor(document: PolicyDocument) {
    this.#document = document;
  }

  /** The level of a namespace under its ceiling. */
  levelOf(kubeNamespace: string, level: PodSecurityLevel): PodSecurityLevel {
    const ceiling = this.#document.levels?.find(({ namespace }) => fits(namespace, kubeNamespace));
    return ceiling ? narrower(ceiling.level, level) : level;
  }

  /** Whether and where its image may come from, before it is fetched. Throws TerminalError (`PolicyViolation`). */
  checkSource({ metadata, spec }: NodeTask): void {
    const { namespaces, registries } = this.#document;
    if (namespaces && !namespaces.some((pattern) => fits(pattern, metadata.namespace))) {
      refuse([{ path: 'metadata.namespace', rule: `this node serves no tasks of ${metadata.namespace}` }]);
    }
    if (registries && spec.image !== undefined && !registries.some((allowed) => lies(spec.image ?? '', allowed))) {
      refuse([
        { path: 'spec.image', rule: `must come from ${registries.join(', ') || 'nowhere: no registry is allowed'}` },
      ]);
    }
  }

  /** What of sessions is to be recorded; undefined: nothing. */
  get recording(): RecordingPolicy | undefined {
    const { recording } = this.#document;
    if (!recording) return undefined;
    const { sessions, typed, maxSize, keepSeconds, maxFiles } = recording;
    return {
      modeOf: (kubeNamespace) => sessions.find(({ namespace }) => fits(namespace, kubeNamespace))?.mode ?? 'None',
      ...{ typed, maxFiles, maxBytes: Number(parseBytes(maxSize)), keepMs: keepSeconds * 1000 },
    };
  }

  /**
   * Whether limits are within those of the node; `defaultPids` is the limit of a task that says nothing of it. Throws
   * TerminalError (`PolicyViolation`).
   */
  checkLimits(resources: Resources | null | undefined, defaultPids: number): void {
    const limits = this.#document.limits ?? {};
    // Memory that is bounded is not got round by swap.
    const most = { ...(limits.memory === undefined ? {} : { memorySwap: 0 }), ...limits };
    refuse(
      Object.entries(most).flatMap(([name, highest]) => {
        const { path, value } = wantedOf(name, resources, defaultPids);
        if (within(name, value, highest)) return [];
        const rule = highest === 0 ? 'must be 0 or absent' : `must be there and at most ${highest}`;
        return [{ path, rule }];
      }),
    );
  }
}

/** Weight of a task that names none. */
const usualWeight = 100;

/** What a task asks for of what a limit is about; undefined: as much as there is. */
function wantedOf(
  name: string,
  resources: Resources | null | undefined,
  defaultPids: number,
): { readonly path: string; readonly value: QuantityText | undefined } {
  const limit = { path: `spec.resources.limits.${name}`, value: resources?.limits?.[name] };
  switch (name) {
    case 'pids':
      return { ...limit, value: limit.value ?? defaultPids };
    case 'memorySwap':
      // Swap is named only beside limits.memory; without that there is no bound to what may be swapped.
      return {
        path: 'spec.resources.memorySwap',
        value: resources?.memorySwap ?? (resources?.limits?.['memory'] === undefined ? undefined : 0),
      };
    case 'ioWeight':
      return { path: 'spec.resources.io.weight', value: resources?.io?.weight ?? usualWeight };
    default:
      return limit;
  }
}

/** A limit that is absent is none at all. */
function within(name: string, value: QuantityText | undefined, most: QuantityText): boolean {
  const parse = name === 'cpu' ? parseMilliCpu : parseBytes;
  return value !== undefined && parse(value) <= parse(most);
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  throw new TerminalError('PolicyViolation', `the policy of this node: ${problems.map(problemText).join('; ')}`);
}

function fits(pattern: string, kubeNamespace: string): boolean {
  return pattern.endsWith('*') ? kubeNamespace.startsWith(pattern.slice(0, -1)) : kubeNamespace === pattern;
}

/** By whole parts of the path, names in full: `busybox` is `docker.io/library/busybox`. */
function lies(image: string, allowed: string): boolean {
  const reference = parseReference(image, { localPaths: true });
  return reference.kind === 'registry' && `${reference.repository}/`.startsWith(`${allowed}/`);
}

function documentProblems({ limits, recording }: PolicyDocument): readonly Problem[] {
  const sizes = recording ? quantityProblems(['recording', 'maxSize'], recording.maxSize) : [];
  return [...limitProblems(limits), ...sizes];
}

function limitProblems(limits: PolicyDocument['limits']): readonly Problem[] {
  return Object.entries(limits ?? {}).flatMap(([name, value]) => {
    const parse = name === 'cpu' ? parseMilliCpu : parseBytes;
    const mayBeNone = name === 'memorySwap' || name.startsWith('hugepages-');
    return quantityProblems(['limits', name], value, { parse, least: mayBeNone ? 0n : 1n });
  });
}

function quantityProblems(
  path: readonly string[],
  value: QuantityText,
  { parse, least }: { readonly parse: typeof parseBytes; readonly least: bigint } = { parse: parseBytes, least: 1n },
): readonly Problem[] {
  try {
    return parse(value) >= least ? [] : [{ path: fieldPath(path), rule: 'must be above 0' }];
  } catch (error) {
    return [{ path: fieldPath(path), rule: errorMessage(error) }];
  }
}

function parseYaml(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return load(text, { schema: CORE_SCHEMA });
  } catch (error) {
    throw new InvalidArgumentError(`it is no YAML: ${errorMessage(error).split('\n')[0]}`, { cause: error });
  }
}
