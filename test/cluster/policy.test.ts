import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode } from '../support/agent.ts';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { eventually } from '../support/node.ts';

interface Seen {
  readonly status?: {
    readonly state?: string;
    readonly conditions?: readonly { type: string; status: string; reason: string; message: string }[];
  };
}

describe('the policy of a node', () => {
  let server: ApiServer;
  let node: AgentNode;

  beforeAll(async () => {
    server = await startApiServer({ kind: 'plain' });
    node = makeAgentNode();
    for (const namespace of ['served', 'others', 'lowered']) {
      await server.kubectl(['create', 'namespace', namespace]);
      await server.kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=privileged']);
    }
  });

  afterAll(async () => {
    await node?.clean();
    await server?.[Symbol.asyncDispose]();
  });

  function writePolicy(text: string): readonly string[] {
    const file = join(node.folder, 'policy.yaml');
    writeFileSync(file, text);
    return ['--kubeconfig', server.kubeconfig(admin), '--rootfs-allow', node.folder, '--policy', file];
  }

  async function apply(namespace: string, name: string, limits: Readonly<Record<string, string>>): Promise<void> {
    const spec = {
      ...{ nodeName: 'test-node', rootfs: { path: node.rootfs }, resources: { limits } },
      command: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'],
    };
    const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name, namespace }, spec };
    await server.kubectl(['apply', '--validate=false', '-f', '-'], JSON.stringify(object));
  }

  async function condition(namespace: string, name: string, type: string, reason: string): Promise<string> {
    const path = `/apis/runlet.dev/v1alpha1/namespaces/${namespace}/nodetasks/${name}`;
    const { status } = await eventually(
      async () => (await server.request('GET', path)).body as unknown as Seen,
      (seen) => seen.status?.conditions?.some((each) => each.type === type && each.reason === reason) === true,
      `${type} for ${reason}`,
    );
    return status?.conditions?.find((each) => each.type === type)?.message ?? '';
  }

  it('decides which namespaces, levels and limits run there, at the start and while a task runs', async () => {
    const flags = writePolicy(
      'namespaces: [served, lowered]\nlevels: [{namespace: lowered, level: baseline}]\nlimits: {memory: 64Mi, pids: 100}\n',
    );
    await using _agent = await node.start({ flags });
    await apply('others', 'a', { memory: '32Mi', pids: '10' });
    await apply('lowered', 'b', { memory: '32Mi', pids: '10' });
    await apply('served', 'c', { pids: '10' });
    await apply('served', 'd', { memory: '32Mi', pids: '10' });
    expect(await condition('others', 'a', 'Ready', 'PolicyViolation')).toContain(
      'metadata.namespace: this node serves no tasks of others',
    );
    expect(await condition('lowered', 'b', 'Ready', 'PolicyViolation')).toContain('rootfs');
    expect(await condition('served', 'c', 'Ready', 'PolicyViolation')).toContain(
      'spec.resources.limits.memory: must be there and at most 64Mi',
    );
    await condition('served', 'd', 'Ready', 'Running');
    const more = JSON.stringify({ spec: { resources: { limits: { memory: '128Mi' } } } });
    await server.kubectl(['-n', 'served', 'patch', 'rlt', 'd', '--type=merge', '-p', more]);
    expect(await condition('served', 'd', 'ResourcesApplied', 'Refused')).toContain(
      'spec.resources.limits.memory: must be there and at most 64Mi',
    );
    for (const namespace of ['others', 'lowered', 'served']) {
      await server.kubectl(['-n', namespace, 'delete', 'rlt', '--all', '--timeout=60s']);
    }
  });

  it.each([
    ['namespace: [served]', 'namespace: is no known field'],
    ['limits: {memory: much}', 'limits.memory'],
  ])('stops an agent at its start that is given %s', async (text, problem) => {
    const { exitCode, log } = await node.runToEnd({ flags: writePolicy(`${text}\n`) });
    expect(exitCode).not.toBe(0);
    expect(log).toContain(`policy.yaml: ${problem}`);
  });
});
