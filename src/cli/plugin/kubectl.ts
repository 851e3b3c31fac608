import { runCommand } from '#host/command.ts';
import { spawnProgram } from '#host/spawn.ts';
import { CommandFailedError, FailedPreconditionError, MalformedError, NotFoundError } from '#errors/errors.ts';
import type { Flag } from '../command.ts';
import { flagNames } from '../flag-names.ts';
import type { Flags } from '../flags.ts';
import type { Shell } from '../shell.ts';
import { forwarded, type PortForward } from './port-forward.ts';

/** kubectl's own flags that are handed on to each call of it: which cluster, namespace and user. */
export const kubectlFlags: readonly Flag[] = [
  { flags: '-n, --namespace <name>', summary: 'namespace of the NodeTask' },
  { flags: '--context <name>', summary: 'context of the kubeconfig' },
  { flags: '--kubeconfig <file>', summary: 'kubeconfig file' },
  { flags: '--cluster <name>', summary: 'cluster of the kubeconfig' },
  { flags: '--user <name>', summary: 'user of the kubeconfig' },
  { flags: '--server <url>', summary: 'address of the API server' },
  { flags: '--token <token>', summary: 'bearer token' },
  { flags: '--as <user>', summary: 'act as this user' },
  { flags: '--as-group <group>', summary: 'act as this group', repeatable: true },
  { flags: '--certificate-authority <file>', summary: 'certificate of the API server’s authority' },
  { flags: '--insecure-skip-tls-verify', summary: 'do not check the API server’s certificate' },
  { flags: '--request-timeout <time>', summary: 'time for each request' },
];

/** The user's kubectl, with the user's own flags. */
export class Kubectl {
  readonly #shell: Shell;
  readonly #common: readonly string[];
  readonly #namespace: readonly string[];

  constructor(shell: Shell, flags: Flags) {
    const given = (flag: Flag) => valuesOf(flag, flags);
    this.#shell = shell;
    this.#namespace = kubectlFlags.slice(0, 1).flatMap(given);
    this.#common = kubectlFlags.slice(1).flatMap(given);
  }

  /** Runs it and returns what it prints. Throws FailedPreconditionError with what kubectl said. */
  async text(
    args: readonly string[],
    options: { readonly input?: string; readonly namespace?: string } = {},
  ): Promise<string> {
    const { input, namespace } = options;
    try {
      const whole = { env: definedEnv(this.#shell.env), ...(input === undefined ? {} : { input }) };
      return (await runCommand('kubectl', this.#args(args, namespace), whole)).stdout;
    } catch (error) {
      throw explained(error);
    }
  }

  /** The object that it prints with `-o json`. */
  async json<T>(
    args: readonly string[],
    options: { readonly input?: string; readonly namespace?: string } = {},
  ): Promise<T> {
    const text = await this.text([...args, '-o', 'json'], options);
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new MalformedError(`kubectl ${args.join(' ')} printed no JSON`, { cause: error });
    }
  }

  /**
   * Leads a port of this machine's loopback to one of a pod until disposed of. Throws FailedPreconditionError with what kubectl
   * said.
   */
  async portForward(pod: string, port: number, namespace: string): Promise<PortForward> {
    const args = ['port-forward', '--address', '127.0.0.1', `pod/${pod}`, `:${port}`];
    const child = await spawnProgram('kubectl', this.#args(args, namespace), {
      env: definedEnv(this.#shell.env),
      stdio: ['ignore', 'pipe', 'pipe'],
      // A Ctrl-C on the terminal is meant for the session's process, not for the way to it.
      ownGroup: true,
    }).catch((error: unknown) => {
      throw explained(error);
    });
    return await forwarded(child);
  }

  /** Its flags go first, because what follows `--` is somebody else's. */
  #args(args: readonly string[], namespace: string | undefined): readonly string[] {
    return [...this.#common, ...(namespace === undefined ? this.#namespace : ['--namespace', namespace]), ...args];
  }
}

function valuesOf(flag: Flag, flags: Flags): readonly string[] {
  const { long, takesValue } = flagNames(flag);
  const name = long.slice(2).replaceAll(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
  if (!takesValue) return flags.is(name) ? [long] : [];
  const values = flag.repeatable ? flags.texts(name) : [flags.text(name)];
  return values.flatMap((value) => (value === undefined ? [] : [long, value]));
}

function definedEnv(env: Shell['env']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function explained(error: unknown): unknown {
  if (error instanceof NotFoundError) {
    return new NotFoundError('cannot run kubectl: there is no such program on PATH', { cause: error });
  }
  if (!(error instanceof CommandFailedError)) return error;
  const said = error.stderr.trim();
  if (/the server doesn't have a resource type|no matches for kind/.test(said)) {
    return new FailedPreconditionError(`${said}: are runlet's CRDs installed in this cluster?`, { cause: error });
  }
  return new FailedPreconditionError(said || error.message, { cause: error });
}
