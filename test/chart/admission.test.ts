import { evaluate } from '@marcbachmann/cel-js';
import { describe, expect, it } from 'vitest';
import { render } from '../support/helm.ts';

interface Policy {
  readonly spec: {
    readonly matchConditions?: readonly { readonly expression: string }[];
    readonly validations: readonly {
      readonly expression: string;
      readonly message?: string;
      readonly messageExpression?: string;
    }[];
  };
}

/** What a policy of the chart says of a request: nothing when it lets it pass or is not about it, else its message. */
async function judge(name: string, context: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  const objects = await render(33);
  const policy = objects.find(({ kind, metadata }) => kind === 'ValidatingAdmissionPolicy' && metadata.name === name);
  const { matchConditions = [], validations } = (policy as unknown as Policy).spec;
  if (!matchConditions.every(({ expression }) => evaluate(expression, context) === true)) return undefined;
  const failed = validations.find(({ expression }) => evaluate(expression, context) !== true);
  if (!failed) return undefined;
  return failed.message ?? String(evaluate(failed.messageExpression ?? '""', context));
}

const agent = 'system:serviceaccount:runlet-system:runlet';
const claim = 'authentication.kubernetes.io/node-name';

function byAgent(more: object = {}, extra: object | null = { [claim]: ['a'] }) {
  const spec = { nodeName: 'a', image: 'i' };
  const userInfo = { username: agent, ...(extra ? { extra } : {}) };
  return {
    request: { userInfo, operation: 'UPDATE', subResource: 'status' },
    object: { spec },
    oldObject: { spec },
    ...more,
  };
}

describe('the policy of who asked', () => {
  const request = { userInfo: { username: 'alice' } };
  it.each([
    ['is silent where nobody is named', {}, undefined],
    ['lets a person name herself', { requestedBy: 'alice' }, undefined],
    ['refuses another’s name', { requestedBy: 'bob' }, 'spec.requestedBy must be your own name, alice, or absent'],
  ])('%s', async (_what, spec, message) => {
    expect(await judge('runlet-requested-by', { request, object: { spec } })).toBe(message);
  });
});

describe('the policy of an agent’s own node', () => {
  const other = { spec: { nodeName: 'b', image: 'i' } };
  it.each([
    ['lets an agent write the status of its own objects', byAgent(), undefined],
    ['is not about anybody else', { ...byAgent(), request: { userInfo: { username: 'alice' } } }, undefined],
    ['refuses another node’s object', byAgent({ object: other, oldObject: other }), 'own node only'],
    ['refuses a token without a node', byAgent({}, {}), 'names no node'],
    ['refuses a token without any claims', byAgent({}, null), 'names no node'],
  ])('%s', async (_what, context, message) => {
    expect((await judge('runlet-own-node', context)) ?? '').toContain(message ?? '');
    expect((await judge('runlet-own-node', context)) === undefined).toBe(message === undefined);
  });

  it('lets an agent change finalizers and delete, and nothing that is asked for', async () => {
    const { request, oldObject } = byAgent();
    const main = { ...request, subResource: '' };
    const changed = { spec: { nodeName: 'a', image: 'other' } };
    expect(await judge('runlet-own-node', byAgent({ request: main }))).toBeUndefined();
    expect(await judge('runlet-own-node', byAgent({ request: main, object: changed }))).toContain('may not change');
    const deletion = { request: { ...main, operation: 'DELETE' }, object: null, oldObject };
    expect(await judge('runlet-own-node', { ...byAgent(), ...deletion })).toBeUndefined();
  });

  it('is left out where the server has no such policies', async () => {
    const objects = await render(29, '--set', 'allowUnsupportedKubernetes=true');
    expect(objects.filter(({ kind }) => kind.startsWith('ValidatingAdmission'))).toEqual([]);
  });
});
