import { dirname, join } from 'node:path';
import { UnavailableError, errorMessage } from '#errors/errors.ts';
import { openFolder } from './descriptors.ts';

/** A connection of packets whose bounds are kept (unix(7), SOCK_SEQPACKET); Node's own sockets have no such kind. */
export interface SeqpacketConnection extends Disposable {
  /** Sends one packet; resolves when the kernel has taken it. */
  write(packet: Uint8Array): Promise<void>;
  /** Ends our side; what the other sends still comes. */
  end(): void;
}

export interface SeqpacketListener {
  data(packet: Buffer): void;
  /** Nothing more will come, whatever the reason. Told once. */
  closed(): void;
}

/** The longest path that fits into an address (unix(7)), its final zero not counted. */
const longestPath = 107;

/** Connects to a socket of any path length. Throws UnavailableError when nobody listens there. */
export async function connectSeqpacket(path: string, listener: SeqpacketListener): Promise<SeqpacketConnection> {
  // Native code, and only needed where somebody attaches.
  const { SeqpacketSocket } = await import('node-unix-socket');
  const socket = new SeqpacketSocket();
  let over = false;
  const close = () => {
    if (over) return;
    over = true;
    socket.destroy();
    listener.closed();
  };
  socket.on('data', (packet: Buffer) => over || listener.data(packet));
  socket.on('end', close);
  socket.on('close', close);
  try {
    using folder = path.length > longestPath ? openFolder(dirname(path)) : undefined;
    await new Promise<void>((resolve, reject) => {
      socket.on('error', (error: Error) => {
        reject(error);
        close();
      });
      socket.connect(folder ? join(`/proc/self/fd/${folder.fd}`, path.slice(dirname(path).length + 1)) : path, resolve);
    });
  } catch (error) {
    over = true;
    socket.destroy();
    throw new UnavailableError(`cannot connect to ${path}: ${errorMessage(error)}`, { cause: error });
  }
  return {
    write: (packet) =>
      new Promise((resolve, reject) => {
        if (over) reject(new UnavailableError('the other side has closed the connection'));
        else socket.write(Buffer.from(packet), 0, packet.byteLength, resolve);
      }),
    end: () => {
      if (!over) socket.end();
    },
    [Symbol.dispose]: close,
  };
}
