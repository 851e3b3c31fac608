import { connectApi, unary, type ApiClient } from '#api/client.ts';
import type { TaskSummary } from '#api/gen/runlet/v1/runlet.ts';
import { InvalidArgumentError, NotFoundError } from '#errors/errors.ts';
import type { Invocation } from './command.ts';
import { write } from './shell.ts';

/** Where an agent listens that was told nothing else. */
const defaultAddress = '/run/runlet/runlet.sock';

const defaultNamespace = 'default';

/** A task's full name on the node. */
export interface Ref {
  readonly namespace: string;
  readonly id: string;
}

/** One command's conversation with the agent. */
export class Session implements Disposable {
  readonly api: ApiClient;
  readonly json: boolean;
  /** The namespace that was named; undefined where none was. */
  readonly namespace: string | undefined;
  readonly #invocation: Invocation;

  constructor(invocation: Invocation) {
    const { flags, shell } = invocation;
    this.#invocation = invocation;
    this.api = connectApi(flags.text('address') ?? shell.env['RUNLET_ADDRESS'] ?? defaultAddress);
    this.namespace = flags.text('namespace') ?? (shell.env['RUNLET_NAMESPACE'] || undefined);
    this.json = flags.text('output') === 'json';
  }

  /** Where a new task is made. */
  get namespaceOrDefault(): string {
    return this.namespace ?? defaultNamespace;
  }

  /**
   * The task with this id, or `namespace/id`. Without a namespace it is looked for on the whole node: throws NotFoundError,
   * and InvalidArgumentError that lists the namespaces when several have it.
   */
  async find(name: string): Promise<Ref> {
    const [id = '', inName] = name.split('/').toReversed();
    const namespace = inName ?? this.namespace;
    if (namespace !== undefined) return { namespace, id };
    const { tasks } = await unary(this.api.runlet.list.bind(this.api.runlet), { namespace: '', ids: [id] });
    return onlyOne(id, tasks);
  }

  /** Prints a document: JSON, indented, where it was asked for; else the text. */
  async print(document: { readonly json: () => unknown; readonly text: () => string }): Promise<void> {
    const { stdout } = this.#invocation.shell;
    await write(stdout, this.json ? `${JSON.stringify(document.json(), undefined, 2)}\n` : document.text());
  }

  [Symbol.dispose](): void {
    this.api[Symbol.dispose]();
  }
}

function onlyOne(id: string, found: readonly Pick<TaskSummary, 'namespace' | 'id'>[]): Ref {
  const [first, second] = found;
  if (!first) throw new NotFoundError(`no task ${id} on this node`);
  if (!second) return { namespace: first.namespace, id: first.id };
  const namespaces = found.map(({ namespace }) => namespace).join(', ');
  throw new InvalidArgumentError(`task ${id} is in several namespaces: ${namespaces}; say which with -n`);
}
