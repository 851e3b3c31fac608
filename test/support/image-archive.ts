import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const script = join(import.meta.dirname, '../../scripts/image.ts');

/** The image of this checkout, made in a folder, or one that was made before: `RUNLET_IMAGE_ARCHIVE`. */
export function imageArchive(folder: string): string {
  const made = process.env['RUNLET_IMAGE_ARCHIVE'];
  if (made) return made;
  const archive = join(folder, 'image.tar');
  execFileSync(process.execPath, [script, '--output', archive], { stdio: ['ignore', 'pipe', 'inherit'] });
  return archive;
}
