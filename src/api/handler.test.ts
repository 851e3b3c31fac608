import { Metadata, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { Handlers } from './handler.ts';

/** What grpc-js hands over: it says `cancelled` of every call in the end, also of one that was answered. */
class FakeCall extends EventEmitter {
  readonly metadata = new Metadata();
  readonly request = {};
  cancelled = false;

  cancel(): void {
    this.cancelled = true;
    this.emit('cancelled');
  }
}

/** Makes the call and lets it be answered in the test's own time. */
function called(call: FakeCall) {
  const work = Promise.withResolvers<object>();
  const seen: AbortSignal[] = [];
  const answered = Promise.withResolvers<unknown>();
  const handle = new Handlers(silentLog()).read((_request: object, { signal }) => {
    seen.push(signal);
    return work.promise;
  });
  const answer: sendUnaryData<object> = (error, value) => answered.resolve(error ?? value);
  handle(call as unknown as ServerUnaryCall<object, object>, answer);
  return { signal: seen[0], finish: () => work.resolve({}), answered: answered.promise };
}

describe('the signal of a call', () => {
  it('aborts when the client goes while the call is under way', () => {
    const call = new FakeCall();
    const { signal } = called(call);
    expect(signal?.aborted).toBe(false);
    call.cancel();
    expect(signal?.aborted).toBe(true);
  });

  it('is aborted from the beginning when the client has gone before', () => {
    const call = new FakeCall();
    call.cancel();
    expect(called(call).signal?.aborted).toBe(true);
  });

  it('stays as it is once the call is answered', async () => {
    const call = new FakeCall();
    const { signal, finish, answered } = called(call);
    finish();
    expect(await answered).toEqual({});
    call.cancel();
    expect(signal?.aborted).toBe(false);
  });
});
