import type { Clock } from '#async/clock.ts';
import type { Mount } from '#host/mounts.ts';
import type { Log } from '#log/log.ts';

/** What an image says about its process: OCI image-spec 1.1, config.md. */
export interface ImageConfig {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: readonly string[];
  readonly workingDir?: string;
  /** `name`, `uid`, `name:group` or `uid:gid`; absent is user 0. */
  readonly user?: string;
  readonly stopSignal?: string;
}

/** An image that is on the node, unpacked and ready to be a root file system. */
export interface Image {
  /** In full: `docker.io/library/busybox:1.37`, `name@sha256:…`, `oci:/absolute/path:tag`. */
  readonly reference: string;
  /** What the reference led to when it was pulled: `sha256:…` of the registry's manifest or index. */
  readonly digest: string;
  /** The digest of the image's configuration, `sha256:…`, which other engines show as image ID. */
  readonly imageId: string;
  readonly config: ImageConfig;
  /** Bytes that the unpacked image takes on the disk. */
  readonly sizeBytes: number;
  readonly pulledAtMs: number;
}

/** The same with whether a task has its root file system from it. */
export interface ListedImage extends Image {
  readonly inUse: boolean;
}

/** Structurally the `Progress` of the API's ports. */
export interface PullProgress {
  readonly phase: 'resolving' | 'pulling' | 'unpacking';
  readonly doneBytes?: number;
  readonly totalBytes?: number;
}

export interface EnsureOptions {
  readonly policy: 'Always' | 'IfNotPresent' | 'Never';
  /** Where relative paths of `oci:` and `docker-archive:` begin; without it they must be absolute. */
  readonly baseDir?: string;
  /** Whether `oci:PATH` and `docker-archive:PATH` are allowed: manifests and people on the node, never a cluster. */
  readonly localPaths: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
}

/** Where a root file system comes from: an image that `ensure` returned, or a folder of the node. */
export type RootfsSource =
  | Pick<Image, 'reference' | 'imageId'>
  | {
      readonly path: string;
      /** Whether the folder may lie outside of those allowed, as people on the node may say; the agent's own stay refused. */
      readonly anywhere?: boolean;
    };

/** A root file system with a layer of its own on top of what is shared and never written. */
export interface Rootfs {
  /** To be mounted in order on the bundle's `rootfs` folder. */
  readonly mounts: readonly Mount[];
  /** The shared folder below, to look up users in before anything is mounted. */
  readonly lower: string;
}

/** Structurally the `ResolvedUser` of NodeTasks. */
export interface RootfsUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

export interface ImageStoreOptions {
  /** The agent's durable folder; all that belongs to images is in `<root>/images`. */
  readonly root: string;
  readonly log: Log;
  readonly clock: Clock;
  /** A file as of Docker's `config.json`, the only source of credentials. */
  readonly registryAuth?: string;
  /** Folders that plain root file systems must be below. */
  readonly rootfsAllow: readonly string[];
  /** The agent's state, logs and so on; they and `root` never become a root file system. */
  readonly ownFolders: readonly string[];
  /** References of images that containers or desired state name, besides those that layers are made of. */
  readonly inUse?: () => Iterable<string>;
  /** After how long unused images are removed, looked at once an hour; two weeks unless said. */
  readonly keepUnusedMs?: number;
}

export interface Removed {
  /** References. */
  readonly removed: readonly string[];
  readonly bytes: number;
}

/**
 * The images on the node and the root file systems made of them. Every method may throw ResourceExhaustedError when the disk
 * is full. The whole is an `ImageAdmin` of the API's ports as well.
 */
export interface Images {
  /**
   * Makes sure that an image is here as the policy says; calls that overlap on one reference share one pull, which ends when
   * the last caller has gone. Throws InvalidArgumentError for a bad reference, NotFoundError, PermissionDeniedError for bad
   * or missing credentials, UnavailableError when the registry is away, TerminalError (`WrongPlatform`).
   */
  ensure(reference: string, options: EnsureOptions): Promise<Image>;
  /**
   * Makes the layer `key` (such as `k8s.default/web`) anew, empty, on top of its source. Throws NotFoundError when the image
   * or folder is not there any more, TerminalError (`PolicyViolation`) for a folder that is not allowed.
   */
  rootfs(source: RootfsSource, key: string, options?: { readonly signal?: AbortSignal }): Promise<Rootfs>;
  /** Removes a layer; none there is success. Throws FailedPreconditionError while it is mounted. */
  removeRootfs(key: string): Promise<void>;
  /** The folder of what was written on top: an overlay's upper folder, or all of it where overlays cannot be used. */
  layerPath(key: string): string;
  /** The keys of all layers, to find those that nobody owns any more. */
  layers(): Promise<readonly string[]>;
  /** As `ensure` with policy Always and paths of the node allowed, for people. */
  pull(
    reference: string,
    options: {
      readonly baseDir: string;
      readonly signal: AbortSignal;
      readonly onProgress: (progress: PullProgress) => void;
    },
  ): Promise<ListedImage>;
  list(): Promise<readonly ListedImage[]>;
  /** Throws NotFoundError, FailedPreconditionError while it is in use. */
  remove(reference: string): Promise<void>;
  /** Removes every image that is not in use. */
  prune(): Promise<Removed>;
  /** Removes images that have not been in use for a time, and what no record names any more. */
  collectGarbage(options: { readonly unusedForMs: number }): Promise<Removed>;
  /** A user as of `name`, `uid`, `name:group`, … by the root file system's own files. Throws TerminalError (`InvalidSpec`). */
  userOf(rootfs: string, user: string): Promise<RootfsUser>;
  /** Waits for what goes on in the background. */
  close(): Promise<void>;
}
