import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode } from '../support/agent.ts';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { eventually } from '../support/node.ts';

const namespaced = '/apis/runlet.dev/v1alpha1/namespaces/default/nodetasks';

interface Seen {
  readonly conditions?: readonly { readonly type: string; readonly reason: string; readonly message: string }[];
}

describe('an API server that checks no rules', () => {
  let server: ApiServer;
  let node: AgentNode;

  beforeAll(async () => {
    server = await startApiServer({ kind: 'plain' });
    node = makeAgentNode();
    await node.start({ flags: ['--kubeconfig', server.kubeconfig(admin)] });
  });

  beforeEach(({ skip }) => {
    if (server.modern) skip('the API server of KUBEBUILDER_ASSETS checks the rules itself');
  });

  afterAll(async () => {
    await node?.clean();
    await server?.[Symbol.asyncDispose]();
  });

  it.each([
    ['spec.stopSignal', { image: 'busybox', stopSignal: 'NONSENSE' }],
    ['must have exactly one of image, rootfs', {}],
    ['spec.resources.limits.cpu', { image: 'busybox', resources: { limits: { cpu: '-1' } } }],
  ])('is helped by the agent, which says in a condition: %s', async (message, spec) => {
    const name = `wrong-${message.length}`;
    const object = {
      apiVersion: 'runlet.dev/v1alpha1',
      kind: 'NodeTask',
      metadata: { name },
      spec: { nodeName: 'test-node', ...spec },
    };
    expect((await server.request('POST', namespaced, object)).status).toBe(201);
    const seen = await eventually(
      async () => (await server.request('GET', `${namespaced}/${name}`)).body['status'] as Seen | undefined,
      (status) => status?.conditions !== undefined,
      'a condition',
    );
    const ready = seen?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'False', reason: 'InvalidSpec' });
    expect(ready?.message).toContain(message);
  });

  it('explains the fields to kubectl', async () => {
    const text = await eventually(
      async () => await server.kubectl(['explain', 'nodetask.spec.resources']).catch(String),
      (said) => said.includes('memoryHigh'),
      'kubectl explain',
    );
    expect(text).toContain('Limits and requests; all of it may change while it runs.');
  });
});
