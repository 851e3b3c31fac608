import { FailedPreconditionError, errorMessage } from '#errors/errors.ts';
import { findProgram } from '#host/programs.ts';

/** Programs that the agent runs on every node, and what each is for. */
const always: Readonly<Record<string, string>> = {
  flock: 'the lock on the state folder',
  mount: 'root file systems and volumes',
  umount: 'root file systems and volumes',
};

/** Fails before anything is made where the agent could not do its work. Throws FailedPreconditionError naming all that is missing. */
export function checkHost({ runtime, conmon }: { readonly runtime: string; readonly conmon: string }): void {
  const needed = { ...always, [runtime]: 'running containers (--runtime)', [conmon]: 'watching processes (--conmon)' };
  const problems = [
    ...(process.getuid?.() === 0 ? [] : ['the agent must run as root']),
    ...Object.entries(needed).flatMap(([program, purpose]) => missing(program, purpose)),
  ];
  if (problems.length > 0) throw new FailedPreconditionError(`this machine is not ready: ${problems.join('; ')}`);
}

function missing(program: string, purpose: string): string[] {
  try {
    findProgram(program);
    return [];
  } catch (error) {
    return [`${errorMessage(error)}, which is for ${purpose}`];
  }
}
