import { ServerCredentials, type Server } from '@grpc/grpc-js';
import { UnavailableError } from '#errors/errors.ts';

/** How long calls may take to end when a server stops; then they are cut off. */
const stopPatienceMs = 2000;

/** Binds a server to an address of gRPC's kind; resolves with the port. Throws UnavailableError that says `name` of it. */
export async function listenAt(server: Server, address: string, name = address): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(new UnavailableError(`cannot listen on ${name}`, { cause: error })) : resolve(port),
    );
  });
}

/** Takes no more calls, and waits for those that are under way as long as its patience lasts. */
export async function endServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    // What is cut off does not always bring tryShutdown to its end.
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, stopPatienceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
