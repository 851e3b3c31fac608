import { describe, expect, it } from 'vitest';
import { askedStates, stillMissing } from './examples.ts';

const file = `
metadata: { name: ticker }
spec: {}
---
metadata: { name: paused }
spec: { runState: Paused }
---
metadata: { name: batch }
spec: { restartPolicy: OnFailure }
`;

describe('what a quickstart waits for', () => {
  it('is the state that each NodeTask of a file asks for', () => {
    expect(askedStates(file)).toEqual([
      { id: 'ticker', states: ['running'] },
      { id: 'paused', states: ['paused'] },
      { id: 'batch', states: ['running', 'stopped'] },
    ]);
  });

  it('is named as long as it is not so', () => {
    const listed = [
      { id: 'ticker', status: 'running' },
      { id: 'paused', status: 'running' },
      { id: 'somebody-else', status: 'stopped' },
    ];
    expect(stillMissing(askedStates(file), listed)).toEqual([
      'paused is running, not paused',
      'batch is absent, not running or stopped',
    ]);
  });

  it('is over when all are as asked', () => {
    const listed = [
      { id: 'ticker', status: 'running' },
      { id: 'paused', status: 'paused' },
      { id: 'batch', status: 'stopped' },
    ];
    expect(stillMissing(askedStates(file), listed)).toEqual([]);
  });
});
