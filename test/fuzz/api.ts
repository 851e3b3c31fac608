import { once } from 'node:events';
import { connect, type ClientHttp2Session } from 'node:http2';
import { createConnection } from 'node:net';
import * as fc from 'fast-check';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { inNamespace, unary } from '#api/client.ts';
import { fileDescriptors } from '#api/gen/descriptors.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { createTask } from '../support/tasks.ts';

/** What one call throws at the server. */
interface Attack {
  readonly method: string;
  readonly namespace: string | undefined;
  /** Sent as they are: whole frames, broken ones, or anything. */
  readonly chunks: readonly Uint8Array[];
  /** Whether the client goes away instead of waiting for an answer. */
  readonly vanish: boolean;
}

/** A server that did not answer within this time has hung. */
const answerMs = 20_000;

/**
 * Calls every method of every service with frames that are right, cut, mutated or random, in namespaces good and bad, from
 * clients that wait and clients that vanish. Throws when a call hangs, an answer is no gRPC status, or the server does not
 * serve the next client as before.
 */
export async function fuzzApi(options: { readonly runs: number; readonly seed?: number }): Promise<void> {
  await using api = await startApi();
  const task = await api.node.manager.create(createTask('web'));
  await task.start();
  await fc.assert(
    fc.asyncProperty(fc.array(attack, { minLength: 1, maxLength: 8 }), async (attacks) => {
      const session = connect('http://localhost', { createConnection: () => createConnection(api.client.address) });
      session.on('error', () => {}); // the server may close a connection that breaks the protocol
      await Promise.all(attacks.map((each) => strike(session, each)));
      session.destroy();
      await proveAlive(api);
    }),
    { numRuns: options.runs, endOnFailure: true, ...(options.seed === undefined ? {} : { seed: options.seed }) },
  );
}

const methods = fileDescriptors.flatMap(({ services, descriptor }) =>
  services.flatMap((service) => {
    const file = fromBinary(FileDescriptorProtoSchema, Buffer.from(descriptor, 'base64'));
    const { method = [] } = file.service.find(({ name }) => service.endsWith(`.${name}`)) ?? {};
    return method.map(({ name }) => `/${service}/${name}`);
  }),
);

/** Texts that fields of requests may hold: names that are there, that are not, and that nobody should give. */
const texts = fc.oneof(
  fc.constantFrom(
    'web',
    'default',
    'e1',
    '',
    '..',
    '../../etc/passwd',
    'a/b',
    '-x',
    'a'.repeat(77),
    '/tasks/start',
    '\0',
  ),
  fc.string({ maxLength: 200 }),
);

/** A message of length-delimited and varint fields with low numbers, which decoders take seriously. */
const message: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      fc.tuple(fc.integer({ min: 1, max: 12 }), texts).map(([field, text]) => {
        const bytes = Buffer.from(text);
        return Buffer.concat([varint(BigInt(field * 8 + 2)), varint(BigInt(bytes.length)), bytes]);
      }),
      fc
        .tuple(fc.integer({ min: 1, max: 12 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
        .map(([field, value]) => Buffer.concat([varint(BigInt(field * 8)), varint(value)])),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));

const chunk = fc.oneof(
  { weight: 6, arbitrary: message.map((bytes) => frame(bytes, bytes.length)) },
  { weight: 1, arbitrary: message.map((bytes) => frame(bytes, bytes.length + 5)) },
  { weight: 1, arbitrary: message.map((bytes) => frame(bytes, 17 * 1024 * 1024)) },
  { weight: 1, arbitrary: message.map((bytes) => frame(bytes, bytes.length, 1)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
);

const attack: fc.Arbitrary<Attack> = fc.record({
  method: fc.constantFrom(...methods, '/no.such.Service/Method', '/'),
  namespace: fc.constantFrom('default', 'default', 'other', '-bad', undefined),
  chunks: fc.array(chunk, { maxLength: 3 }),
  vanish: fc.boolean(),
});

async function strike(session: ClientHttp2Session, { method, namespace, chunks, vanish }: Attack): Promise<void> {
  if (session.destroyed) return;
  const stream = session.request({
    ':method': 'POST',
    ':path': method,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(namespace === undefined ? {} : { 'containerd-namespace': namespace }),
  });
  stream.on('error', () => {}); // reset by the server
  stream.resume();
  const closed = once(stream, 'close');
  for (const bytes of chunks) if (!stream.destroyed) stream.write(bytes);
  // Some calls wait for ever, as they should: a task runs, events come. Their clients leave.
  const waits = /Wait|Subscribe|Watch|Attach|Logs|ReflectionInfo/.test(method);
  if (vanish || waits) setImmediate(() => stream.close());
  else stream.end();
  const hung = Promise.withResolvers<never>();
  const timer = setTimeout(() => hung.reject(new Error(`${method} does not answer`)), answerMs);
  await Promise.race([closed, hung.promise]).finally(() => clearTimeout(timer));
}

async function proveAlive({ client: { tasks, version } }: TestApi): Promise<void> {
  await unary(version.version.bind(version), {}, { timeoutMs: answerMs });
  await unary(tasks.list.bind(tasks), { filter: '' }, { metadata: inNamespace('default'), timeoutMs: answerMs });
}

function frame(bytes: Uint8Array, length: number, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value;
  do {
    bytes.push(Number(left & 0x7fn) | (left > 0x7fn ? 0x80 : 0));
    left >>= 7n;
  } while (left > 0n);
  return Buffer.from(bytes);
}
