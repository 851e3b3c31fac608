import { join } from 'node:path';
import { FailedPreconditionError, NotFoundError } from '#errors/errors.ts';
import { minimalEnvironment, runCommand } from '#host/command.ts';
import { fileKind } from '#host/descriptors.ts';
import { findProgram } from '#host/programs.ts';
import { imageFailure } from './failure.ts';
import { sourceName } from './reference.ts';
import type { Reference } from './reference.ts';

export interface SkopeoOptions {
  /** A folder for what it must put somewhere; also its home, so that it finds nobody's credentials there. */
  readonly scratch: string;
  readonly registryAuth?: string;
  readonly signal?: AbortSignal;
}

/** A manifest is a few kilobytes: what takes longer is a registry that does not answer. */
const manifestTimeoutMs = 60_000;

/** Reads the manifest that a reference, or a digest of its repository, leads to, as the registry has it. */
export async function readManifest(
  reference: Reference,
  options: SkopeoOptions & { readonly digest?: string },
): Promise<string> {
  const args = ['inspect', '--raw', ...access(reference, '', options), sourceName(reference, options.digest)];
  return await runSkopeo(reference, args, options, manifestTimeoutMs);
}

/** Copies an image to an OCI layout whose blobs are in a folder of all images: those that are there are not fetched again. */
export async function copyImage(
  reference: Reference,
  options: SkopeoOptions & { readonly digest?: string; readonly layout: string; readonly blobs: string },
): Promise<void> {
  const to = [
    '--dest-shared-blob-dir',
    options.blobs,
    sourceName(reference, options.digest),
    `oci:${options.layout}:image`,
  ];
  await runSkopeo(reference, ['copy', '--quiet', ...access(reference, 'src-', options), ...to], options);
}

/** Credentials are in a file, never among the arguments, which every user of the node may read. */
function access(reference: Reference, prefix: '' | 'src-', { registryAuth }: SkopeoOptions): readonly string[] {
  if (reference.kind === 'local') return [];
  return [
    ...(reference.loopback ? [`--${prefix}tls-verify=false`] : []),
    ...(registryAuth === undefined ? [`--${prefix}no-creds`] : [`--${prefix}authfile`, registryAuth]),
  ];
}

async function runSkopeo(
  reference: Reference,
  args: readonly string[],
  { scratch, registryAuth, signal }: SkopeoOptions,
  timeoutMs?: number,
): Promise<string> {
  if (registryAuth !== undefined && fileKind(registryAuth) !== 'file') {
    throw new FailedPreconditionError(`image ${reference.text}: --registry-auth ${registryAuth} is no file`);
  }
  const argv = endsWithUs('skopeo', ['--tmpdir', scratch, ...args]);
  try {
    const { stdout } = await runCommand('setpriv', argv, {
      env: { ...minimalEnvironment(), HOME: join(scratch, 'home'), XDG_RUNTIME_DIR: join(scratch, 'home') },
      ...(signal ? { signal } : {}),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    return stdout;
  } catch (error) {
    throw imageFailure(error, reference.text);
  }
}

/** Arguments of setpriv(1) under which a program dies with this process, so that a new one finds nobody still writing. */
export function endsWithUs(program: string, args: readonly string[]): readonly string[] {
  return ['--pdeathsig', 'KILL', '--', installed(program), ...args];
}

function installed(program: string): string {
  try {
    return findProgram(program);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new FailedPreconditionError(`${program} is not installed on this node: images need it`, { cause: error });
  }
}
