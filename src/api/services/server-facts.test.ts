import { Client, credentials } from '@grpc/grpc-js';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { startApi } from '../../../test/support/api.ts';
import { inNamespace, replies, unary } from '../client.ts';
import { HealthCheckResponse_ServingStatus as Serving } from '../gen/grpc/health/v1/health.ts';
import {
  ServerReflectionClient,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from '../gen/grpc/reflection/v1/reflection.ts';

describe('a client that asks who serves', () => {
  it('is told the server’s id, process and what it is made of', async () => {
    await using api = await startApi();
    const { introspection } = api.client;
    const server = await unary(introspection.server.bind(introspection), {});
    expect(server).toEqual({
      uuid: '11111111-2222-3333-4444-555555555555',
      pid: BigInt(process.pid),
      pidns: 4_026_531_836n,
      deprecations: [],
    });
    const { plugins } = await unary(introspection.plugins.bind(introspection), { filters: ['id==tasks'] });
    expect(plugins).toMatchObject([{ type: 'io.containerd.grpc.v1', id: 'tasks' }]);
  });

  it('hears that what is served is healthy, and nothing of what is not', async () => {
    await using api = await startApi();
    const { health } = api.client;
    const check = (service: string) => unary(health.check.bind(health), { service });
    expect(await check('')).toEqual({ status: Serving.SERVING });
    expect(await check('containerd.services.tasks.v1.Tasks')).toEqual({ status: Serving.SERVING });
    await expect(check('no.such.Service')).rejects.toMatchObject({ code: 'not-found' });
    for await (const { status } of replies(health.watch({ service: 'no.such.Service' }))) {
      expect(status).toBe(Serving.SERVICE_UNKNOWN);
      break;
    }
  });

  it('finds every service by reflection, with files that hold together', async () => {
    await using api = await startApi();
    using client = reflection(api.client.address);
    const listed = await client.ask({ $case: 'listServices', value: '' });
    const services = listed?.$case === 'listServicesResponse' ? listed.value.service.map(({ name }) => name) : [];
    expect(services).toEqual(expect.arrayContaining(['containerd.services.tasks.v1.Tasks', 'runlet.v1.Runlet']));
    for (const service of services) {
      const answer = await client.ask({ $case: 'fileContainingSymbol', value: service });
      const files = answer?.$case === 'fileDescriptorResponse' ? answer.value.fileDescriptorProto : [];
      const parsed = files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      const names = parsed.map(({ name }) => name);
      expect(names.length, service).toBeGreaterThan(0);
      for (const { dependency } of parsed) expect(names).toEqual(expect.arrayContaining(dependency));
    }
    expect(await client.ask({ $case: 'fileByFilename', value: 'no.proto' })).toMatchObject({ $case: 'errorResponse' });
  });
});

function reflection(address: string) {
  const client = new ServerReflectionClient(`unix:${address}`, credentials.createInsecure());
  return {
    [Symbol.dispose]: () => client.close(),
    ask: async (messageRequest: NonNullable<ServerReflectionRequest['messageRequest']>) => {
      const call = client.serverReflectionInfo();
      call.write({ host: '', messageRequest });
      call.end();
      for await (const reply of call) return (reply as { messageResponse?: Answer }).messageResponse;
      return undefined;
    },
  };
}

type Answer = ServerReflectionResponse['messageResponse'];

function same(bytes: Buffer): Buffer {
  return bytes;
}

describe('calls for images', () => {
  it.each(['/containerd.services.images.v1.Images/List', '/containerd.services.content.v1.Content/Write'])(
    '%s say what to use instead',
    async (path) => {
      await using api = await startApi();
      const client = new Client(`unix:${api.client.address}`, credentials.createInsecure());
      const failure = await new Promise<{ code: number; details: string } | null>((resolve) => {
        client.makeUnaryRequest(path, same, same, Buffer.alloc(0), inNamespace('default'), (error) => resolve(error));
      });
      client.close();
      expect(failure?.code).toBe(12);
      expect(failure?.details).toMatch(/--rootfs.*runlet run/);
    },
  );
});
