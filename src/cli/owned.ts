import { unary } from '#api/client.ts';
import { FailedPreconditionError } from '#errors/errors.ts';
import type { Flags } from './flags.ts';
import type { Ref, Session } from './session.ts';

/** Namespaces of tasks that NodeTasks decide on. */
const ownedPrefix = 'k8s.';

/** The object of a task: its names in Kubernetes. */
export interface OwnerName {
  readonly namespace: string;
  readonly name: string;
}

/** What changes a NodeTask so that its task changes. */
export type OwnedVerb =
  | 'start'
  | 'stop'
  | 'pause'
  | 'resume'
  | 'restart'
  | 'kill'
  | 'update'
  | 'checkpoint'
  | 'restore'
  | 'rm';

/** A change that is asked for: of an update the spec's new part, of others flags to be added to the command. */
export interface OwnedChange {
  readonly verb: OwnedVerb;
  readonly spec?: object;
  readonly more?: string;
}

/** Refuses to make a task among those of NodeTasks, whatever the force: the agent would take it for a leftover. */
export function refuseOwnedNamespace(namespace: string): void {
  if (!namespace.startsWith(ownedPrefix)) return;
  throw new FailedPreconditionError(
    `namespace ${namespace} is for tasks of NodeTasks: make one with \`kubectl apply\`, or choose another namespace`,
  );
}

/**
 * Throws FailedPreconditionError, which says how it is done properly, where a task belongs to a NodeTask and --force is not
 * given.
 */
export async function refuseOwned(session: Session, ref: Ref, flags: Flags, how: OwnedChange): Promise<void> {
  if (!ref.namespace.startsWith(ownedPrefix) || flags.is('force')) return;
  const { owner, file } = await ownerOf(session, ref);
  const command = `use \`${kubectlLine(how, owner)}\``;
  const proper =
    file === undefined ? `${command}, or change its file where the agent reads --manifests` : `change ${file}`;
  throw new FailedPreconditionError(
    `task ${ref.namespace}/${ref.id} belongs to NodeTask ${owner.namespace}/${owner.name}, which decides on it: ` +
      `${proper}; --force does it here, until the agent puts it right again`,
  );
}

/** Verbs that are a change of the object's spec. */
const runStates: Partial<Record<OwnedVerb, string>> = {
  start: 'Running',
  resume: 'Running',
  stop: 'Stopped',
  pause: 'Paused',
};

/** The kubectl command that does the same to the object. */
export function kubectlLine({ verb, spec, more = '' }: OwnedChange, { namespace, name }: OwnerName): string {
  const object = `nodetasks.runlet.dev ${name} -n ${namespace}`;
  const runState = runStates[verb];
  const change = spec ?? (runState === undefined ? undefined : { runState });
  if (change) return `kubectl patch ${object} --type merge -p '${JSON.stringify({ spec: change })}'`;
  if (verb === 'restart') return `kubectl annotate ${object} --overwrite runlet.dev/restartedAt="$(date +%s)"`;
  if (verb === 'rm') return `kubectl delete ${object}`;
  if (verb === 'restore') return 'kubectl apply -f FILE` of a new NodeTask with `spec.restoreFrom';
  return `kubectl runlet ${verb} ${name} -n ${namespace}${more}`;
}

/** The object's names, and its file where the agent has it from one. */
async function ownerOf(session: Session, ref: Ref): Promise<{ readonly owner: OwnerName; readonly file?: string }> {
  const { runlet } = session.api;
  const { json } = await unary(runlet.inspect.bind(runlet), ref);
  const { nodeTask } = JSON.parse(json) as { nodeTask?: { metadata?: Partial<OwnerName>; file?: unknown } };
  const owner = {
    namespace: nodeTask?.metadata?.namespace ?? ref.namespace.slice(ownedPrefix.length),
    name: nodeTask?.metadata?.name ?? ref.id,
  };
  return typeof nodeTask?.file === 'string' ? { owner, file: nodeTask.file } : { owner };
}
