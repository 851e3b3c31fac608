import type { Resource } from '../cluster/resource.ts';
import type { SessionKind } from './schema.ts';

/** The kinds in URLs. */
export const sessionResources: Readonly<Record<SessionKind, Resource>> = {
  NodeTaskExecSession: { kind: 'NodeTaskExecSession', plural: 'nodetaskexecsessions' },
  NodeTaskAttachSession: { kind: 'NodeTaskAttachSession', plural: 'nodetaskattachsessions' },
  NodeTaskLogSession: { kind: 'NodeTaskLogSession', plural: 'nodetasklogsessions' },
  NodeTaskTopSession: { kind: 'NodeTaskTopSession', plural: 'nodetasktopsessions' },
};
