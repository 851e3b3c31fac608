import { describe, expect, it } from 'vitest';
import { specTypeUrl } from '#task/containers.ts';
import { fuzzApi } from '../../test/fuzz/api.ts';
import { startApi } from '../../test/support/api.ts';
import { inNamespace, unary } from './client.ts';

const metadata = inNamespace('default');

describe('hostile clients', () => {
  it('hang nothing, whatever they send', { timeout: 120_000 }, async () => {
    await expect(fuzzApi({ runs: 150 })).resolves.toBeUndefined();
  });

  it('may send up to 16 MiB and are refused beyond', async () => {
    await using api = await startApi();
    const { containers } = api.client;
    const create = (id: string, bytes: number) =>
      unary(
        containers.create.bind(containers),
        {
          container: {
            ...{ id, labels: {}, image: '', snapshotter: '', snapshotKey: '', sandbox: '', extensions: {} },
            ...{ createdAt: undefined, updatedAt: undefined, runtime: { name: 'r', options: undefined } },
            spec: { typeUrl: specTypeUrl, value: Buffer.alloc(bytes, ' ') },
          },
        },
        { metadata },
      );
    await create('large', 15 * 1024 * 1024);
    await expect(create('too-large', 17 * 1024 * 1024)).rejects.toThrow(/larger than 16777216|larger than max/);
    expect(api.containers.list().map(({ id }) => id)).toEqual(['large']);
  });
});
