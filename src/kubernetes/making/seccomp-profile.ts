import { join } from 'node:path';
import { NotFoundError, TerminalError, errorMessage } from '#errors/errors.ts';
import { openBeneath } from '#host/beneath.ts';
import { readText } from '#host/files.ts';
import type { SeccompSpec } from '#oci/runtime-spec.ts';

const field = 'spec.securityContext.seccompProfile.localhostProfile';

/**
 * The profile of a file below `<root>/seccomp`, in the form of the OCI specification (config-linux.md, seccomp). Throws
 * TerminalError when there is none or it is no profile.
 */
export async function readSeccompProfile(root: string, name: string): Promise<SeccompSpec> {
  const text = await readBelow(join(root, 'seccomp'), name);
  try {
    const profile: unknown = JSON.parse(text);
    if (isProfile(profile)) return profile;
  } catch (error) {
    throw new TerminalError('InvalidSpec', `${field}: ${name} is not JSON: ${errorMessage(error)}`, { cause: error });
  }
  throw new TerminalError('InvalidSpec', `${field}: ${name} is no seccomp profile: it has no defaultAction`);
}

async function readBelow(folder: string, name: string): Promise<string> {
  try {
    await using place = await openBeneath(folder, name);
    return (await readText(place.path)) ?? '';
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new TerminalError('InvalidSpec', `${field}: there is no ${name} below ${folder} on this node`, {
      cause: error,
    });
  }
}

function isProfile(value: unknown): value is SeccompSpec {
  return typeof value === 'object' && value !== null && 'defaultAction' in value;
}
