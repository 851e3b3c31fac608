import { CommandFailedError, NotFoundError } from '#errors/errors.ts';
import { runCommand } from '#host/command.ts';
import { readTextSync } from '#host/files.ts';
import { RuntimeFailedError, lastError } from './failure.ts';

export interface RuntimeCommandOptions {
  readonly signal?: AbortSignal;
  readonly input?: string;
}

/** One runtime binary with the global options of one task: the verbs that are left to the command. */
export class RuntimeCommand {
  readonly program: string;
  readonly #root: string;
  readonly #log: string;
  readonly #systemdCgroup: boolean;
  readonly #env: Readonly<Record<string, string>>;

  constructor(options: {
    readonly program: string;
    readonly root: string;
    /** Where the runtime's own messages go; the last error there is the text of a failure. */
    readonly log: string;
    readonly systemdCgroup: boolean;
    readonly env: Readonly<Record<string, string>>;
  }) {
    this.program = options.program;
    this.#root = options.root;
    this.#log = options.log;
    this.#systemdCgroup = options.systemdCgroup;
    this.#env = options.env;
  }

  /** The options before the verb, with messages going to a log of the caller's. */
  globalArgs(log: string): readonly string[] {
    return [
      ...['--root', this.#root, '--log', log, '--log-format', 'json'],
      ...(this.#systemdCgroup ? ['--systemd-cgroup'] : []),
    ];
  }

  /** Runs a verb and returns its output. Throws RuntimeFailedError with the runtime's own text. */
  async run(args: readonly string[], options: RuntimeCommandOptions = {}): Promise<string> {
    try {
      return (await runCommand(this.program, [...this.globalArgs(this.#log), ...args], { env: this.#env, ...options }))
        .stdout;
    } catch (error) {
      if (!(error instanceof CommandFailedError)) throw error;
      const said = lastError(readTextSync(this.#log) ?? '') ?? error.stderr.trim();
      throw new RuntimeFailedError(said || error.message, error);
    }
  }

  /** Removes a container with all that the runtime made for it. Being gone already is success. */
  async remove(id: string): Promise<void> {
    try {
      await this.run(['delete', '--force', id]);
    } catch (error) {
      // `--force` forgives a container that is not there, crun only in newer versions.
      if (error instanceof NotFoundError) return;
      if (error instanceof RuntimeFailedError && /does not exist|no such file/i.test(error.message)) return;
      throw error;
    }
  }

  /** The runtime's own word on a container; undefined when it knows none. */
  async state(id: string): Promise<{ readonly status: string; readonly pid: number } | undefined> {
    try {
      const { status, pid } = JSON.parse(await this.run(['state', id])) as { status: string; pid: number };
      return { status, pid };
    } catch (error) {
      if (error instanceof RuntimeFailedError && /does not exist|no such file/i.test(error.message)) return undefined;
      throw error;
    }
  }
}
