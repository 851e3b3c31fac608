import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '#errors/errors.ts';
import { parseFilters } from './filters.ts';

const fields: Readonly<Record<string, string>> = { id: 'web', 'labels.a.b/c': 'v', topic: '/tasks/start', empty: '' };
const matches = (...filters: string[]) => parseFilters(filters)((path) => fields[path.join('.')]);

describe('containerd’s filters', () => {
  it.each([
    [[], true],
    [[''], true],
    [['id'], true],
    [['nothing'], false],
    [['empty'], true],
    [['id==web'], true],
    [['id!=web'], false],
    [['absent!=x'], true],
    [['id==other', 'id==web'], true],
    [['id==web,topic=="/tasks/start"'], true],
    [['id==web, topic=="/tasks/stop"'], false],
    [['labels."a.b/c"==v'], true],
    [['topic~=/tasks/'], true],
    [['topic~=|^/tasks|'], true],
    [['topic~="^/tasks/st"'], true],
    [['absent~=^$'], true],
    [['topic=="\\u002ftasks/start"'], true],
    [['topic=="\\x2ftasks/start"'], true],
  ])('%j give %s', (filters, expected) => {
    expect(matches(...filters)).toBe(expected);
  });

  it.each(['id=web', 'topic==/tasks/start', 'id==web ', 'id==web,', '==x', 'id~=|(|', '"open', 'topic~=/open'])(
    'refuse %s',
    (filter) => {
      expect(() => matches(filter)).toThrow(InvalidArgumentError);
    },
  );

  it('parse or refuse any text, and never throw anything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab.=!~,"/|\\ ()[x0'.split(''), 'é') }), (text) => {
        expect(outcome(() => parseFilters([text])(() => 'a'))).toSatisfy(
          (result) => typeof result === 'boolean' || result instanceof InvalidArgumentError,
        );
      }),
      { numRuns: 2000 },
    );
  });
});

function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
