import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants, type ClientHttp2Stream } from 'node:http2';

const opened = 'http2.client.stream.created';

/**
 * Makes a request over HTTP/2 that is closed before its end be reset with CANCEL, as the protocol has it for what nobody wants
 * any more, unless another code is given. Once for the program; again it changes nothing.
 *
 * undici closes what it gives up without a code and destroys it in the same turn. Node takes no code to mean "when all is sent":
 * of a body that is still on its way, the reset is then never sent, and nghttp2 asks the destroyed stream for the rest for ever,
 * in one turn of the event loop and with memory for each empty frame that it makes of the answer.
 */
export function resetAbandonedStreams(): void {
  unsubscribe(opened, cancelByDefault);
  subscribe(opened, cancelByDefault);
}

function cancelByDefault(message: unknown): void {
  const { stream } = message as { readonly stream: ClientHttp2Stream };
  const close = stream.close.bind(stream);
  stream.close = (code = constants.NGHTTP2_CANCEL, callback) => close(code, callback);
}
