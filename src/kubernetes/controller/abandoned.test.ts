import { describe, expect, it } from 'vitest';
import { isAbandoned } from './abandoned.ts';

const created = '2026-01-01T00:00:00Z';
const seconds = (after: number) => Date.parse(created) + after * 1000;

function session(spec: object, status?: object) {
  const metadata = { name: 's', namespace: 'a', uid: 'u', resourceVersion: '1', creationTimestamp: created };
  return { metadata, spec, ...(status ? { status } : {}) };
}

describe('a session', () => {
  it.each([
    ['that nobody came for, in its time', {}, undefined, 60 + 3600 + 119, false],
    ['that nobody came for, after it', {}, undefined, 60 + 3600 + 121, true],
    ['with times of its own', { startDeadlineSeconds: 5, ttlSecondsAfterFinished: 10 }, undefined, 136, true],
    ['that is open', {}, { startedAt: created, state: 'Running' }, 1e9, false],
    ['that has ended, in its time', {}, { finishedAt: '2026-01-01T01:00:00Z' }, 7200, false],
    ['that has ended, long after it', {}, { finishedAt: '2026-01-01T01:00:00Z' }, 7200 + 121, true],
  ])('%s: abandoned %#', (_what, spec, status, after, abandoned) => {
    expect(isAbandoned(session(spec, status), seconds(after))).toBe(abandoned);
  });
});
