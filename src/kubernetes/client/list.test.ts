import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scriptedApi, type ScriptedApi } from '../../../test/support/api-client.ts';
import { json, list } from '../../../test/support/scripted-server.ts';
import { listAll } from './list.ts';

const path = '/apis/runlet.dev/v1alpha1/nodetasks';
const object = (name: string) => ({ metadata: { name, namespace: 'ns', uid: `u-${name}`, resourceVersion: '1' } });

describe('listAll', () => {
  let api: ScriptedApi;
  const { signal } = new AbortController();

  beforeEach(async () => {
    api = await scriptedApi();
  });

  afterEach(async () => await api[Symbol.asyncDispose]());

  it('keeps of each page only what is accepted', async () => {
    api.server.reply(list('9', [object('x'), object('y')], 'more'), list('10', [object('z')]));
    const listing = await listAll(api.client, { path, accept: ({ metadata }) => metadata.name !== 'x' }, { signal });
    expect(listing.objects.map(({ metadata }) => metadata.name)).toEqual(['y', 'z']);
    expect(listing).toMatchObject({ resourceVersion: '10', selected: false });
  });

  it('reads a collection without items, and refuses what is no list', async () => {
    api.server.reply(json({ metadata: { resourceVersion: '5' }, items: null }), json({ kind: 'Status' }));
    expect(await listAll(api.client, { path }, { signal })).toMatchObject({ objects: [], resourceVersion: '5' });
    await expect(listAll(api.client, { path }, { signal })).rejects.toThrow(`list ${path}: the answer is no list`);
  });
});
