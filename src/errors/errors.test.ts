import { describe, expect, it } from 'vitest';
import {
  CommandFailedError,
  FailedPreconditionError,
  NotFoundError,
  TerminalError,
  errorCode,
  errorMessage,
  isErrno,
} from './errors.ts';

describe('errors', () => {
  it('carry a code, a name, facts and what caused them', () => {
    const cause = new Error('below');
    const error = new NotFoundError('no task web', { cause, details: { id: 'web' } });
    expect(error).toMatchObject({ code: 'not-found', name: 'NotFoundError', details: { id: 'web' }, cause });
  });

  it('have no cause where none was given', () => {
    expect('cause' in new NotFoundError('no task web')).toBe(false);
  });

  it('of a failed program say what it said, else how it ended', () => {
    const argv = ['runc', 'create'];
    expect(new CommandFailedError({ argv, exitCode: 1, stderr: 'no such thing\n' }).message).toBe(
      'runc failed: no such thing',
    );
    expect(new CommandFailedError({ argv, exitCode: 3, stderr: ' ' }).message).toBe('runc failed: exit code 3');
    expect(new CommandFailedError({ argv, signal: 'SIGKILL', stderr: '' }).message).toBe(
      'runc failed: killed by SIGKILL',
    );
    expect(new CommandFailedError({ argv, stderr: '' }).message).toBe('runc failed: exit code unknown');
  });

  it('that are final name a reason for a condition', () => {
    expect(new TerminalError('InvalidSpec', 'no image')).toMatchObject({
      reason: 'InvalidSpec',
      code: 'failed-precondition',
    });
  });
});

describe('what was thrown', () => {
  it('has the code of ours, else internal', () => {
    expect(errorCode(new FailedPreconditionError('no'))).toBe('failed-precondition');
    expect(errorCode(new Error('no'))).toBe('internal');
    expect(errorCode('no')).toBe('internal');
  });

  it('has a message, whatever it is', () => {
    expect(errorMessage(new Error('no'))).toBe('no');
    expect(errorMessage(7)).toBe('7');
  });

  it('is a system error only with one of the codes', () => {
    const missing = Object.assign(new Error('x'), { code: 'ENOENT' });
    expect(isErrno(missing, 'EACCES', 'ENOENT')).toBe(true);
    expect(isErrno(missing, 'EACCES')).toBe(false);
    expect(isErrno({ code: 'ENOENT' }, 'ENOENT')).toBe(false);
  });
});
