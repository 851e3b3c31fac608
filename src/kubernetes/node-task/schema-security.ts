import * as z from 'zod';
import { list, pattern, relativePath, text, userId } from './fields.ts';

const capability = pattern(/^[A-Z][A-Z_]*$/, 64, 'be the name of a capability such as NET_ADMIN, or ALL');

const profile = z.enum(['RuntimeDefault', 'Unconfined', 'Localhost']);

/** `spec.securityContext`: names and meaning of a Pod's container. */
export const securityContextSchema = z.strictObject({
  runAsUser: userId.exactOptional().describe("User id of the first process; default the image's user, else 0."),
  runAsGroup: userId
    .exactOptional()
    .describe("Its group id; default that of the user in the image's /etc/passwd, else 0."),
  supplementalGroups: list(userId, 64).exactOptional().describe('Further groups of it.'),
  runAsNonRoot: z.boolean().exactOptional().describe('Refuse to start as user 0.'),
  readOnlyRootFilesystem: z.boolean().exactOptional().describe('Whether the root file system may only be read.'),
  allowPrivilegeEscalation: z
    .boolean()
    .exactOptional()
    .describe('Whether a setuid program may gain rights; false when absent, true in a privileged task.'),
  capabilities: z
    .strictObject({
      add: list(capability, 64).exactOptional().describe('Capabilities beside the default ones; ALL is every one.'),
      drop: list(capability, 64).exactOptional().describe('Default capabilities to leave out; ALL is every one.'),
    })
    .exactOptional()
    .describe('Parts of root’s power.'),
  seccompProfile: z
    .strictObject({
      type: profile.describe('RuntimeDefault (also when absent), Unconfined or Localhost.'),
      localhostProfile: relativePath.min(1).exactOptional().describe('With Localhost: a file below <root>/seccomp.'),
    })
    .exactOptional()
    .describe('Which system calls it may make.'),
  appArmorProfile: z
    .strictObject({
      type: profile.describe('RuntimeDefault, Unconfined or Localhost.'),
      localhostProfile: text(253).min(1).exactOptional().describe('With Localhost: the name of a loaded profile.'),
    })
    .exactOptional()
    .describe('Its AppArmor profile, on nodes that have AppArmor.'),
  procMount: z.enum(['Default', 'Unmasked']).exactOptional().describe('Whether parts of /proc and /sys are hidden.'),
  privileged: z.boolean().exactOptional().describe('Every capability and device, nothing hidden, no seccomp.'),
});
