import { dirname } from 'node:path';
import type { SocketFile } from '#api/server.ts';
import { FailedPreconditionError, InvalidArgumentError } from '#errors/errors.ts';
import { fileKind } from '#host/descriptors.ts';
import { makeFolder, removeFile, setMode } from '#host/files.ts';
import { socketAnswers } from '#host/unix-socket.ts';

const ownerOnly = 0o600;

/** The file of the API's socket: what a dead agent left is taken away, one that somebody answers at is not. */
export const socketFile: SocketFile = {
  prepare: async (path) => {
    await makeFolder(dirname(path));
    const kind = fileKind(path);
    if (kind === undefined) return;
    if (kind !== 'socket') throw new InvalidArgumentError(`--address: ${path} is there and is no socket: a ${kind}`);
    if (await socketAnswers(path)) {
      throw new FailedPreconditionError(`cannot listen on ${path}: another program answers there`);
    }
    await removeFile(path);
  },
  protect: async (path) => await setMode(path, ownerOnly),
  remove: async (path) => await removeFile(path),
};
