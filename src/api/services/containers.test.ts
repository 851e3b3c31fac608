import { describe, expect, it } from 'vitest';
import { specTypeUrl } from '#task/containers.ts';
import { startApi, type TestApi } from '../../../test/support/api.ts';
import { createTask } from '../../../test/support/tasks.ts';
import { inNamespace, replies, unary } from '../client.ts';
import type { Container } from '../gen/containerd/services/containers/v1/containers.ts';

const metadata = inNamespace('default');

function wire(id: string, more: Partial<Container> = {}): Container {
  return {
    ...{ id, labels: {}, image: '', snapshotter: '', snapshotKey: '', sandbox: '', extensions: {} },
    ...{ createdAt: undefined, updatedAt: undefined },
    runtime: { name: 'io.containerd.runc.v2', options: undefined },
    spec: { typeUrl: specTypeUrl, value: Buffer.from('{"process":{"args":["true"]}}') },
    ...more,
  };
}

function calls({ client: { containers } }: TestApi) {
  return {
    get: (id: string) => unary(containers.get.bind(containers), { id }, { metadata }),
    create: (container: Container | undefined) =>
      unary(containers.create.bind(containers), { container }, { metadata }),
    update: (container: Container, updateMask?: string[]) =>
      unary(containers.update.bind(containers), { container, updateMask }, { metadata }),
    delete: (id: string) => unary(containers.delete.bind(containers), { id }, { metadata }),
    list: async (...filters: string[]) => {
      const { containers: found } = await unary(containers.list.bind(containers), { filters }, { metadata });
      return found.map(({ id }) => id);
    },
  };
}

describe('containers', () => {
  it('gives back what a client put, types that it does not know included', async () => {
    await using api = await startApi();
    const { create, get } = calls(api);
    const extensions = { 'a.b/c': { typeUrl: 'github.com/somebody/Thing', value: Buffer.from([0, 255, 1]) } };
    await create(wire('web', { labels: { app: 'shop', gone: '' }, extensions, image: 'i:1' }));
    const { container } = await get('web');
    expect(container).toMatchObject({ id: 'web', labels: { app: 'shop' }, image: 'i:1', extensions });
    expect(container?.labels).not.toHaveProperty('gone');
    expect(container?.createdAt).toEqual({ seconds: 1_700_000_000n, nanos: 0 });
  });

  it.each([
    ['no container', undefined, 'container is missing'],
    ['a bad id', wire('-bad'), 'identifier "-bad" must match'],
    ['no id', wire(''), 'identifier must not be empty'],
    ['an id of 77 bytes', wire('a'.repeat(77)), 'greater than maximum length (76 characters)'],
    ['no runtime', wire('a', { runtime: undefined }), 'container.Runtime.Name must be set'],
    ['no specification', wire('a', { spec: undefined }), 'container.Spec must be set'],
    ['a snapshot without its snapshotter', wire('a', { snapshotKey: 'k' }), 'container.Snapshotter must be set'],
    ['a label that is too long', wire('a', { labels: { kilobytes: 'x'.repeat(5000) } }), 'key: kilobytes'],
  ])('refuses %s', async (_what, container, text) => {
    await using api = await startApi();
    await expect(calls(api).create(container)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(text) as string,
    });
  });

  it('answers in containerd’s words for what is there already or not there', async () => {
    await using api = await startApi();
    const { create, get, update, delete: remove } = calls(api);
    await create(wire('r1'));
    await expect(create(wire('r1'))).rejects.toMatchObject({ message: 'container "r1": already exists' });
    await expect(get('nope')).rejects.toMatchObject({
      message: 'container "nope" in namespace "default": not found',
      code: 'not-found',
    });
    await expect(remove('nope')).rejects.toMatchObject({ message: 'container nope: not found' });
    await expect(update(wire('nope'))).rejects.toMatchObject({ message: 'container "nope": not found' });
  });

  it('changes only what the mask names', async () => {
    await using api = await startApi();
    const { create, update } = calls(api);
    await create(wire('web', { labels: { a: '1', b: '2' }, image: 'before' }));
    const asked = wire('web', { labels: { a: '', c: '3' }, image: 'after' });
    const { container } = await update(asked, ['labels.a', 'labels.c']);
    expect(container).toMatchObject({ labels: { b: '2', c: '3' }, image: 'before' });
    const all = await update(asked);
    expect(all.container).toMatchObject({ labels: { c: '3' }, image: 'after' });
    await expect(update(asked, ['created_at'])).rejects.toMatchObject({
      message: 'cannot update "created_at" field on "web": invalid argument',
    });
    await expect(update(wire('web', { runtime: { name: 'other', options: undefined } }))).rejects.toMatchObject({
      message: 'container.Runtime.Name field is immutable: invalid argument',
    });
  });

  it('lists by containerd’s filters, as a whole and as a stream', async () => {
    await using api = await startApi();
    const { create, list } = calls(api);
    await create(wire('b', { labels: { 'x.y/z': 'on' }, image: 'busybox' }));
    await create(wire('a'));
    expect(await list()).toEqual(['a', 'b']);
    expect(await list('labels."x.y/z"==on')).toEqual(['b']);
    expect(await list('image')).toEqual(['a', 'b']);
    expect(await list('id==a', 'image~=^busy')).toEqual(['a', 'b']);
    expect(await list('runtime.name==io.containerd.runc.v2,id!=a')).toEqual(['b']);
    await expect(list('id=a')).rejects.toMatchObject({ code: 'invalid-argument' });
    const streamed: string[] = [];
    for await (const { container } of replies(api.client.containers.listStream({ filters: ['id==b'] }, metadata))) {
      streamed.push(container?.id ?? '');
    }
    expect(streamed).toEqual(['b']);
  });

  it('keeps a container that has a task: nothing else would reach the task', async () => {
    await using api = await startApi();
    const { create, delete: remove, get } = calls(api);
    await create(wire('web'));
    await api.node.manager.create(createTask('web'));
    await expect(remove('web')).rejects.toMatchObject({ code: 'failed-precondition' });
    expect((await get('web')).container?.id).toBe('web');
  });

  it('needs a namespace', async () => {
    await using api = await startApi();
    const { containers } = api.client;
    await expect(unary(containers.get.bind(containers), { id: 'a' })).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'namespace is required: failed precondition',
    });
  });
});
