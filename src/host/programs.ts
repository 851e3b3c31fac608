import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { NotFoundError } from '#errors/errors.ts';
import { searchPath } from './command.ts';

/** The absolute path of a program: a path as it is, a name as PATH has it. Throws NotFoundError. */
export function findProgram(name: string): string {
  const places = name.includes('/')
    ? [resolve(name)]
    : searchPath()
        .split(delimiter)
        .filter(isAbsolute)
        .map((at) => join(at, name));
  const found = places.find(isExecutable);
  if (found === undefined)
    throw new NotFoundError(`cannot find the program ${name}${name.includes('/') ? '' : ' on PATH'}`);
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
