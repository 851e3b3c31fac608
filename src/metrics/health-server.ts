import { once } from 'node:events';
import { createServer } from 'node:http';

/** Answers `/healthz` with 200, and nothing else: that the process runs and its event loop turns. */
export async function serveHealth(address: { readonly host: string; readonly port: number }): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/healthz' ? 200 : 404, { 'content-type': 'text/plain' });
    response.end(request.url === '/healthz' ? 'ok\n' : 'not found\n');
  });
  server.listen(address.port, address.host);
  await once(server, 'listening');
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      if (server.listening) await once(server, 'close');
    },
  };
}
