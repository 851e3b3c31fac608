import type { Listener } from './list-watch.ts';
import type { KubeObject } from './object.ts';

export interface StoreOptions {
  /** Which objects are ours: a server that cannot select sends everybody's. */
  readonly accept: (object: KubeObject) => boolean;
  /** The object of this key has come, changed or gone. */
  readonly onChange: (key: string) => void;
  /** Everything has been read once. */
  readonly onSynced: () => void;
}

/** What a collection holds, as far as the server has said. Objects are never changed; a change brings a new one. */
export class Store implements Listener {
  readonly #options: StoreOptions;
  #objects = new Map<string, KubeObject>();
  #synced = false;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** Whether everything has been read once. */
  get synced(): boolean {
    return this.#synced;
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  keys(): readonly string[] {
    return [...this.#objects.keys()];
  }

  replaced(objects: readonly KubeObject[]): void {
    const before = this.#objects;
    this.#objects = new Map(objects.filter(this.#options.accept).map((object) => [storeKey(object), object]));
    const keys = new Set([...before.keys(), ...this.#objects.keys()]);
    const first = !this.#synced;
    this.#synced = true;
    for (const key of keys) {
      if (versionOf(before.get(key)) !== versionOf(this.#objects.get(key))) this.#options.onChange(key);
    }
    if (first) this.#options.onSynced();
  }

  changed(object: KubeObject): void {
    const key = storeKey(object);
    if (!this.#options.accept(object)) {
      if (this.#objects.delete(key)) this.#options.onChange(key);
      return;
    }
    this.#objects.set(key, object);
    this.#options.onChange(key);
  }

  deleted(object: KubeObject): void {
    const key = storeKey(object);
    if (this.#objects.delete(key)) this.#options.onChange(key);
  }
}

/** `namespace/name`, or the name of what stands in no namespace. */
export function storeKey({ metadata }: KubeObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/** Equal versions of one object are one and the same; they are compared for that only. */
function versionOf(object: KubeObject | undefined): string | undefined {
  return object && `${object.metadata.uid} ${object.metadata.resourceVersion}`;
}
