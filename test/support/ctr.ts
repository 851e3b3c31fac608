import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface CtrResult {
  /** 128 + n when signal n ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CtrOptions {
  /** What it reads; nothing and at its end where it is not given. */
  readonly stdin?: string;
  /** Runs it on a terminal of its own; then both outputs are one. */
  readonly terminal?: boolean;
  /** When it is ended with SIGKILL. */
  readonly timeoutMs?: number;
}

const usualTimeoutMs = 60_000;

/** Runs Debian's ctr against a socket to its end. */
export async function runCtr(socket: string, args: readonly string[], options: CtrOptions = {}): Promise<CtrResult> {
  const argv = ['ctr', '-a', socket, ...args];
  const [program = '', ...rest] = options.terminal
    ? ['script', '--quiet', '--return', '--command', argv.map(quote).join(' '), '/dev/null']
    : argv;
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => stdout.push(data));
  child.stderr.on('data', (data: Buffer) => stderr.push(data));
  child.stdin.on('error', () => {}); // it may end without having read
  if (options.terminal) child.stdin.write(options.stdin ?? '');
  else child.stdin.end(options.stdin ?? '');
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? usualTimeoutMs);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  return {
    code: code ?? (signal === 'SIGKILL' ? 137 : 255),
    stdout: Buffer.concat(stdout).toString('utf8'),
    stderr: Buffer.concat(stderr).toString('utf8'),
  };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
