import * as z from 'zod';
import { absolutePath, dnsLabel, list, objectName, quantity, relativePath, text } from './fields.ts';

const fileMode = z.int().min(0).max(0o777);

const keyToPath = z.strictObject({
  key: text(253).describe('The key in its data.'),
  path: relativePath.min(1).describe('File in the volume.'),
  mode: fileMode.exactOptional().describe('Permission bits of this file.'),
});

const configFields = {
  defaultMode: fileMode.exactOptional().describe('Permission bits of the files; 0644 when absent.'),
  items: list(keyToPath, 256).exactOptional().describe('Only these keys, under these paths; absent: every key.'),
  optional: z.boolean().exactOptional().describe('Whether it may be absent; the volume is empty then.'),
};

/** What a hostPath must be, and which kinds are made when they are not there. */
export const hostPathTypes = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
] as const;

/** One of `spec.volumes`: a name and exactly one source. */
export const volumeSchema = z.strictObject({
  name: dnsLabel.describe('What volumeMounts call it.'),
  emptyDir: z
    .strictObject({
      sizeLimit: quantity.exactOptional().describe('Bytes at most. Kept by the kernel with medium Memory only.'),
      medium: z.enum(['', 'Memory']).exactOptional().describe('Memory: a tmpfs, which counts as memory of the task.'),
    })
    .exactOptional()
    .describe('An empty folder that lives as long as the task.'),
  hostPath: z
    .strictObject({
      path: absolutePath.describe('Path on the node, below one of the folders of --host-path-allow.'),
      type: z
        .enum(hostPathTypes)
        .exactOptional()
        .describe('What must be there; "…OrCreate" makes it. Empty: anything.'),
    })
    .exactOptional()
    .describe('A file or folder of the node.'),
  configMap: z
    .strictObject({ name: objectName.describe('Name of the ConfigMap.'), ...configFields })
    .exactOptional()
    .describe('The keys of a ConfigMap as files.'),
  secret: z
    .strictObject({ secretName: objectName.describe('Name of the Secret.'), ...configFields })
    .exactOptional()
    .describe('The keys of a Secret as files, in memory.'),
});

/** One of `spec.volumeMounts`. */
export const volumeMountSchema = z.strictObject({
  name: dnsLabel.describe('Name of one of spec.volumes.'),
  mountPath: absolutePath.describe('Where it appears in the container.'),
  readOnly: z.boolean().exactOptional().describe('Whether the task may only read it.'),
  subPath: relativePath.exactOptional().describe('A path in the volume to mount instead of its root.'),
});
