import { status } from '@grpc/grpc-js';
import type { FileDescriptor } from '../gen/descriptors.ts';
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
  ServerReflectionServer,
} from '../gen/grpc/reflection/v1/reflection.ts';
import type { Handlers } from '../handler.ts';

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

/**
 * grpc.reflection.v1.ServerReflection, and v1alpha, which is the same on the wire. The descriptors are loaded by the first
 * who asks: an agent that nobody explores does without them.
 */
export function reflectionService(handlers: Handlers, services: ReadonlySet<string>): ServerReflectionServer {
  return {
    serverReflectionInfo: handlers.duplex<ServerReflectionRequest, ServerReflectionResponse>(
      async (requests, _call, send) => {
        const { fileDescriptors } = await import('../gen/descriptors.ts');
        for await (const request of requests) {
          await send({
            validHost: request.host,
            originalRequest: request,
            messageResponse: answer(request, fileDescriptors, services),
          });
        }
      },
    ),
  };
}

function answer(
  { messageRequest: asked }: ServerReflectionRequest,
  files: readonly FileDescriptor[],
  services: ReadonlySet<string>,
): Answer {
  switch (asked?.$case) {
    case 'listServices':
      return {
        $case: 'listServicesResponse',
        value: { service: [...services].toSorted().map((name) => ({ name })) },
      };
    case 'fileByFilename':
      return fileWith(files, ({ name }) => name === asked.value) ?? notFound(asked.value);
    case 'fileContainingSymbol':
      return fileWith(files, ({ symbols }) => symbols.includes(asked.value)) ?? notFound(asked.value);
    case 'fileContainingExtension':
      return notFound(asked.value.containingType);
    case 'allExtensionNumbersOfType':
      return files.some(({ symbols }) => symbols.includes(asked.value))
        ? { $case: 'allExtensionNumbersResponse', value: { baseTypeName: asked.value, extensionNumber: [] } }
        : notFound(asked.value);
    case undefined:
      return refusal(status.INVALID_ARGUMENT, 'the request asks nothing');
  }
}

/** A file with all that it imports, so that a client needs to ask once. */
function fileWith(files: readonly FileDescriptor[], isMeant: (file: FileDescriptor) => boolean): Answer | undefined {
  const file = files.find(isMeant);
  if (!file) return undefined;
  const wanted = new Map<string, FileDescriptor>([[file.name, file]]);
  for (const { dependencies } of wanted.values()) {
    for (const name of dependencies) {
      const dependency = files.find((each) => each.name === name);
      if (dependency) wanted.set(name, dependency);
    }
  }
  return {
    $case: 'fileDescriptorResponse',
    value: { fileDescriptorProto: [...wanted.values()].map(({ descriptor }) => Buffer.from(descriptor, 'base64')) },
  };
}

function notFound(what: string): Answer {
  return refusal(status.NOT_FOUND, `unknown: ${what}`);
}

function refusal(errorCode: status, errorMessage: string): Answer {
  return { $case: 'errorResponse', value: { errorCode, errorMessage } };
}
