import { status, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';

/** containerd's services for images, by package and service, that an agent without an image store of that kind has not. */
const methods: Readonly<Record<string, readonly string[]>> = {
  'containerd.services.content.v1.Content': [
    ...['Info', 'Update', 'List', 'Delete', 'Read', 'Status', 'ListStatuses', 'Write', 'Abort'],
  ],
  'containerd.services.diff.v1.Diff': ['Apply', 'Diff'],
  'containerd.services.images.v1.Images': ['Get', 'List', 'Create', 'Update', 'Delete'],
  'containerd.services.snapshots.v1.Snapshots': [
    ...['Prepare', 'View', 'Mounts', 'Commit', 'Remove', 'Stat', 'Update', 'List', 'Usage', 'Cleanup'],
  ],
};

const sentence =
  'runlet keeps no images for containerd’s clients: use `ctr run --rootfs DIR`, or `runlet run IMAGE` and `runlet images`';

/** Services that answer every call with UNIMPLEMENTED and say what to use instead. */
export function servicesNotHere(): readonly [ServiceDefinition, UntypedServiceImplementation][] {
  return Object.entries(methods).map(([service, names]) => [
    Object.fromEntries(names.map((name) => [name, definition(`/${service}/${name}`)])),
    Object.fromEntries(names.map((name) => [name, refuse])),
  ]);
}

function raw(bytes: Buffer): Buffer {
  return bytes;
}

/** As a call with one request and a stream of answers: a client of any other kind gets the status all the same. */
function definition(path: string): ServiceDefinition[string] {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  };
}

function refuse(call: NodeJS.EventEmitter): void {
  call.emit('error', { code: status.UNIMPLEMENTED, details: sentence });
}
