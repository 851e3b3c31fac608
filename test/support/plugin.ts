import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliProcess, onTerminal } from './cli-process.ts';
import { clientProgram } from './server-programs.ts';

const main = join(import.meta.dirname, '../../src/kubectl-runlet.ts');

/** What a run of the plugin came to. */
export interface PluginResult {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** `kubectl runlet` as a user calls it. */
export interface Plugin {
  /** The environment of each call. */
  readonly env: Readonly<Record<string, string>>;
  start(...argv: readonly string[]): CliProcess;
  onTerminal(argv: readonly string[], around?: Parameters<typeof onTerminal>[2]): CliProcess;
  /** Runs it to its end; without `input` its stdin is at its end at once. */
  run(argv: readonly string[], input?: string): Promise<PluginResult>;
}

/**
 * The plugin with the real kubectl, but for port-forwards, which need a kubelet: they lead to a port of this machine that
 * `portOf` names at each call.
 */
export function makePlugin(options: {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly portOf: () => number;
}): Plugin {
  const { folder, kubeconfig, portOf } = options;
  const bin = join(folder, 'plugin-bin');
  mkdirSync(bin, { recursive: true });
  const shim = join(bin, 'kubectl');
  const portFile = join(folder, 'plugin-port');
  writeFileSync(
    shim,
    `#!/bin/sh
for word; do
  if [ "$word" = port-forward ]; then
    echo "Forwarding from 127.0.0.1:$(cat ${portFile}) -> 9621"
    # Gone with the plugin, also with one that was killed.
    while kill -0 $PPID 2>/dev/null; do sleep 0.5; done
    exit 0
  fi
done
exec ${clientProgram('kubectl')} "$@"
`,
  );
  chmodSync(shim, 0o755);
  const env = { PATH: `${bin}:${process.env['PATH']}`, KUBECONFIG: kubeconfig, HOME: folder };
  const ready = () => writeFileSync(portFile, String(portOf()));
  const start = (...argv: readonly string[]) => {
    ready();
    return new CliProcess(process.execPath, [main, ...argv], env);
  };
  return {
    env,
    start,
    onTerminal: (argv, around) => {
      ready();
      return onTerminal([process.execPath, main, ...argv], env, around);
    },
    run: async (argv, input) => {
      await using running = start(...argv);
      if (input !== undefined) running.type(input);
      running.endInput();
      const status = await running.end();
      return { status, stdout: running.out, stderr: running.err };
    },
  };
}
