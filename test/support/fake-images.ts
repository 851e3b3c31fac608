import type { Image, Images, Rootfs, RootfsUser } from '#images/images.ts';

type Used = Pick<Images, 'ensure' | 'layerPath' | 'layers' | 'removeRootfs' | 'rootfs' | 'userOf'>;

/** Images without a registry or disk: what is asked for is there, layers are names in a list. */
export class FakeImages implements Used {
  readonly made = new Set<string>();
  /** Policies that images were asked for with. */
  readonly policies: string[] = [];
  config: Image['config'] = {};
  failure: { readonly at: 'ensure' | 'rootfs' | 'userOf'; readonly error: Error } | undefined;

  ensure(reference: string, { policy }: Parameters<Images['ensure']>[1]): Promise<Image> {
    this.policies.push(policy);
    const image = { reference, digest: 'sha256:d', imageId: 'sha256:i', config: this.config, sizeBytes: 1 };
    return this.#answer('ensure', { ...image, pulledAtMs: 0 });
  }

  async rootfs(_source: unknown, key: string): Promise<Rootfs> {
    await this.#answer('rootfs', undefined);
    this.made.add(key);
    return { lower: '/lower', mounts: [{ type: 'overlay', source: 'overlay', options: [] }] };
  }

  removeRootfs(key: string): Promise<void> {
    this.made.delete(key);
    return Promise.resolve();
  }

  layerPath(key: string): string {
    return `/layers/${key}`;
  }

  layers(): Promise<readonly string[]> {
    return Promise.resolve([...this.made]);
  }

  userOf(_rootfs: string, user: string): Promise<RootfsUser> {
    return this.#answer('userOf', { uid: Number(user), gid: 0, additionalGids: [], home: '/root' });
  }

  #answer<T>(at: 'ensure' | 'rootfs' | 'userOf', value: T): Promise<T> {
    return this.failure?.at === at ? Promise.reject(this.failure.error) : Promise.resolve(value);
  }
}
