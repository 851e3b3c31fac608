import { once } from 'node:events';
import { connect, constants, createServer, type ClientHttp2Session, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resetAbandonedStreams } from './abandoned-streams.ts';

describe('a request that is given up over HTTP/2', () => {
  let server: Http2Server;
  let session: ClientHttp2Session;
  /** With which code the server saw a PATCH end. */
  let resets: number[];

  beforeEach(async () => {
    resetAbandonedStreams();
    resetAbandonedStreams();
    resets = [];
    // It lets a client send four bytes of a body, and no more before they are read.
    server = createServer({ settings: { initialWindowSize: 4 } });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      if (headers[':method'] === 'PATCH') stream.on('close', () => resets.push(stream.rstCode));
      else stream.respond({ ':status': 200 }, { endStream: true });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await once(session, 'remoteSettings');
  });

  afterEach(async () => {
    session.destroy();
    await new Promise((resolve) => void server.close(resolve));
  });

  /** What the server answers to the next request on the same connection. */
  async function statusOfNext(): Promise<number | undefined> {
    const [headers] = (await once(session.request({ ':method': 'GET' }), 'response')) as [{ ':status'?: number }];
    return headers[':status'];
  }

  async function firstReset(): Promise<number | undefined> {
    while (resets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    return resets[0];
  }

  it('is reset at once, also while its body is still to be sent, and the connection goes on', async () => {
    const request = session.request({ ':method': 'PATCH' });
    request.end(Buffer.alloc(100_000));
    await once(server, 'stream');
    request.close();
    // Else it would be asked for its body for ever, and this program with it.
    expect(request.rstCode).toBe(constants.NGHTTP2_CANCEL);
    request.destroy();
    expect(await statusOfNext()).toBe(200);
    expect(await firstReset()).toBe(constants.NGHTTP2_CANCEL);
  });

  it('is reset before any of it has been sent', async () => {
    const request = session.request({ ':method': 'PATCH' });
    request.end('{}');
    request.close();
    expect(request.rstCode).toBe(constants.NGHTTP2_CANCEL);
    request.destroy();
    expect(await statusOfNext()).toBe(200);
  });

  it('keeps a code that is given', async () => {
    const request = session.request({ ':method': 'PATCH' });
    request.end('{}');
    await once(server, 'stream');
    request.on('error', () => {});
    request.close(constants.NGHTTP2_REFUSED_STREAM);
    expect(await statusOfNext()).toBe(200);
    expect(await firstReset()).toBe(constants.NGHTTP2_REFUSED_STREAM);
  });
});
