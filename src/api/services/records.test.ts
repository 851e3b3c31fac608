import { describe, expect, it } from 'vitest';
import { startApi } from '../../../test/support/api.ts';
import { inNamespace, unary } from '../client.ts';

const metadata = inNamespace('team');

describe('namespaces', () => {
  it('are made, labelled, listed and deleted', async () => {
    await using api = await startApi();
    const { namespaces } = api.client;
    const create = (name: string, labels = {}) =>
      unary(namespaces.create.bind(namespaces), { namespace: { name, labels } });
    await create('n1', { a: '1' });
    await expect(create('n1')).rejects.toMatchObject({ message: 'namespace "n1": already exists' });
    await expect(create('-bad')).rejects.toMatchObject({ code: 'invalid-argument' });
    const update = unary(namespaces.update.bind(namespaces), {
      namespace: { name: 'n1', labels: { b: '2', a: '' } },
      updateMask: ['labels.a', 'labels.b'],
    });
    expect(await update).toEqual({ namespace: undefined });
    const { namespace } = await unary(namespaces.get.bind(namespaces), { name: 'n1' });
    expect(namespace).toEqual({ name: 'n1', labels: { b: '2' } });
    await unary(namespaces.delete.bind(namespaces), { name: 'n1' });
    await expect(unary(namespaces.delete.bind(namespaces), { name: 'n1' })).rejects.toMatchObject({
      message: 'namespace "n1": not found',
    });
  });

  it('answer for one that nobody made, and refuse a mask that names no label', async () => {
    await using api = await startApi();
    const { namespaces } = api.client;
    const { namespace } = await unary(namespaces.get.bind(namespaces), { name: 'nobody' });
    expect(namespace).toEqual({ name: 'nobody', labels: {} });
    const refused = unary(namespaces.update.bind(namespaces), {
      namespace: { name: 'n1', labels: {} },
      updateMask: ['name'],
    });
    await expect(refused).rejects.toMatchObject({ message: 'cannot update "name" field: invalid argument' });
  });
});

describe('leases', () => {
  it('are made with an id of their own where none is given, listed by filters and deleted', async () => {
    await using api = await startApi();
    const { leases } = api.client;
    const create = (id: string, labels = {}) => unary(leases.create.bind(leases), { id, labels }, { metadata });
    expect((await create('')).lease?.id).toMatch(/^\d{19}-[\w-]{4}$/);
    await create('L/1', { k: 'v' });
    await expect(create('L/1')).rejects.toMatchObject({ message: 'lease "L/1": already exists' });
    const list = async (...filters: string[]) =>
      (await unary(leases.list.bind(leases), { filters }, { metadata })).leases.map(({ id }) => id);
    expect(await list('labels.k==v')).toEqual(['L/1']);
    expect(await list()).toHaveLength(2);
    await unary(leases.delete.bind(leases), { id: 'L/1', sync: true }, { metadata });
    await expect(unary(leases.delete.bind(leases), { id: 'L/1', sync: false }, { metadata })).rejects.toMatchObject({
      message: 'lease "L/1": not found',
      code: 'not-found',
    });
  });

  it('are over when their time has come', async () => {
    await using api = await startApi();
    const { leases } = api.client;
    const end = new Date(api.node.clock.nowMs() + 60_000).toISOString();
    await unary(leases.create.bind(leases), { id: 'L', labels: { 'containerd.io/gc.expire': end } }, { metadata });
    const ids = async () => (await unary(leases.list.bind(leases), { filters: [] }, { metadata })).leases.length;
    expect(await ids()).toBe(1);
    api.node.clock.advance(60_000);
    expect(await ids()).toBe(0);
    await unary(leases.create.bind(leases), { id: 'L', labels: {} }, { metadata });
    expect(await ids()).toBe(1);
  });

  it('hold resources, each once', async () => {
    await using api = await startApi();
    const { leases } = api.client;
    await unary(leases.create.bind(leases), { id: 'L', labels: {} }, { metadata });
    const resource = { id: 'sha256:1', type: 'content' };
    for (const _ of [1, 2]) await unary(leases.addResource.bind(leases), { id: 'L', resource }, { metadata });
    const held = async () => (await unary(leases.listResources.bind(leases), { id: 'L' }, { metadata })).resources;
    expect(await held()).toEqual([resource]);
    await unary(leases.deleteResource.bind(leases), { id: 'L', resource }, { metadata });
    expect(await held()).toEqual([]);
    await expect(
      unary(leases.addResource.bind(leases), { id: 'L', resource: undefined }, { metadata }),
    ).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});
