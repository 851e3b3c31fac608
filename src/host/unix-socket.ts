import { createConnection } from 'node:net';
import { isErrno } from '#errors/errors.ts';

/** Whether somebody accepts connections at a socket's file; false when there is none or nobody is left. */
export async function socketAnswers(path: string): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const connection = createConnection(path);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', (error) => {
      if (isErrno(error, 'ECONNREFUSED', 'ENOENT', 'ENOTSOCK')) resolve(false);
      else reject(error);
    });
  });
}
