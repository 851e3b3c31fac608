import type { Records } from '#task/records.ts';

/** The newest valid text of a file, so that one that is invalid while the agent starts keeps its objects. */
export interface FileRecord {
  readonly file: string;
  readonly text: string;
}

/** What the folder's source keeps of an object. */
export interface ObjectUid {
  readonly key: string;
  readonly uid: string;
  /** Counts the changes of its spec. */
  readonly generation: number;
  /** Of the spec that has this generation. */
  readonly specHash: string;
  readonly createdAt: string;
  /** Of the object as it was when its time was over: as long as its file says the same, it counts as deleted. */
  readonly expiredHash?: string;
}

/** Where both are kept, under `--root`. */
export interface ManifestRecords {
  readonly files: Records<FileRecord>;
  readonly uids: Records<ObjectUid>;
}
