import type { NodeTask } from '../node-task/types.ts';
import { objectKey, type ObjectKey } from '../reconcile/source.ts';

/** A file as it counts now. */
export interface ManifestFile {
  readonly name: string;
  /** Of its newest valid text. */
  readonly tasks: readonly NodeTask[];
  /** What is wrong with the text that it has now; empty when that is the valid one. */
  readonly problems: readonly string[];
}

/** An object of the folder, with the file that it is from. */
export interface FolderObject {
  readonly file: string;
  readonly task: NodeTask;
  readonly problems: readonly string[];
}

export interface Merged {
  readonly objects: ReadonlyMap<ObjectKey, FolderObject>;
  /** Sentences about what does not count. */
  readonly refused: readonly string[];
}

/** Puts the files of a folder together: of two objects with one name the first file by name wins. Pure. */
export function mergeManifests(files: readonly ManifestFile[], nodeName: string): Merged {
  const objects = new Map<ObjectKey, FolderObject>();
  const refused: string[] = [];
  for (const file of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    for (const task of file.tasks) {
      const key = objectKey(task.metadata);
      const there = objects.get(key);
      if (task.spec.nodeName !== nodeName) {
        refused.push(`${file.name}: NodeTask ${key} is for node ${task.spec.nodeName}, this is ${nodeName}`);
      } else if (there) {
        refused.push(`${file.name}: NodeTask ${key} is in ${there.file} already, which comes first`);
      } else {
        objects.set(key, { file: file.name, task, problems: file.problems });
      }
    }
  }
  return { objects, refused };
}
