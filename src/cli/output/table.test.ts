import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayWidth, formatTable, printable } from './table.ts';

const columns = [
  { heading: 'ID', cell: (row: { id: string; n?: number }) => row.id },
  { heading: 'N', cell: (row: { id: string; n?: number }) => row.n?.toString(), right: true },
];

describe('a table', () => {
  it('makes each column as wide as its widest cell, and says - where there is nothing', () => {
    expect(formatTable(columns, [{ id: 'a', n: 1 }, { id: 'longer', n: 1000 }, { id: 'c' }])).toBe(
      'ID          N\na           1\nlonger   1000\nc           -\n',
    );
  });

  it('has headings also without rows', () => {
    expect(formatTable(columns, [])).toBe('ID   N\n');
  });

  it('counts wide characters as two columns', () => {
    expect(displayWidth('日本')).toBe(4);
    expect(formatTable(columns, [{ id: '日本', n: 1 }])).toBe('ID     N\n日本   1\n');
  });

  it('never lets a cell steer the terminal', () => {
    expect(printable('a\u001B[2Jb\n\u202E')).toBe('a\\x1b[2Jb\\x0a\\x202e');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => !/\p{Control}/u.test(printable(text))),
    );
  });
});
