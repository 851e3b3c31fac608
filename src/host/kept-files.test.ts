import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeptFiles } from './kept-files.ts';

const names = ['first', 'second', 'missing'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  write('first', '1\n');
  write('second', 'two\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

function open(hasRoom?: () => boolean): KeptFiles {
  return new KeptFiles(names.length, (file) => join(folder, names[file] ?? ''), hasRoom);
}

describe('kept files', () => {
  it('are read from their beginning each time and closed in the end', () => {
    const before = KeptFiles.count;
    const files = open();
    expect(files.read(0, true)?.toString()).toBe('1\n');
    write('first', '12345\n');
    expect(files.read(0, true)?.toString()).toBe('12345\n');
    expect(files.read(1, true)?.toString()).toBe('two\n');
    expect(KeptFiles.count).toBe(before + 2);
    files[Symbol.dispose]();
    files[Symbol.dispose]();
    expect(KeptFiles.count).toBe(before);
  });

  it('that were missing once are not looked for again', () => {
    using files = open();
    expect(files.read(2, true)).toBeUndefined();
    write('missing', 'there\n');
    expect(files.read(2, true)).toBeUndefined();
  });

  it('are read as well where nothing may be kept, or nothing has room', () => {
    const before = KeptFiles.count;
    using files = open();
    using crowded = open(() => false);
    for (const text of ['1\n', '22\n']) {
      write('first', text);
      expect(files.read(0, false)?.toString()).toBe(text);
      expect(crowded.read(0, true)?.toString()).toBe(text);
    }
    expect(crowded.read(2, true)).toBeUndefined();
    write('missing', 'there\n');
    expect(crowded.read(2, true)).toBeUndefined();
    expect(KeptFiles.count).toBe(before);
  });
});
