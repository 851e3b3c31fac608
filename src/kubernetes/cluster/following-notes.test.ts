import { describe, expect, it } from 'vitest';
import { followingNotes } from './following-notes.ts';

describe('followingNotes', () => {
  it('says nothing while the server is followed as it should be, or was not asked yet', () => {
    expect(followingNotes({ trouble: undefined, selected: true })).toEqual([]);
    expect(followingNotes({ trouble: undefined, selected: undefined })).toEqual([]);
  });

  it('says that a server cannot select', () => {
    expect(followingNotes({ trouble: undefined, selected: false })).toEqual([expect.stringContaining('select')]);
  });

  it.each([
    [undefined, 'does not answer'],
    [401, 'credentials'],
    [403, 'lacks the right'],
    [404, 'install the CRDs'],
    [503, 'status 503'],
  ])('says what status %s of the last try means', (status, text) => {
    const [note, ...more] = followingNotes({ trouble: { status }, selected: true });
    expect(note).toContain(text);
    expect(note).toContain('tasks go on');
    expect(more).toEqual([]);
  });
});
