import { describe, expect, it } from 'vitest';
import { CommandFailedError, TerminalError } from '#errors/errors.ts';
import type { RunletError } from '#errors/errors.ts';
import { imageFailure, lastWords } from './failure.ts';

function failed(stderr: string, signal?: string): RunletError {
  const error = new CommandFailedError({ argv: ['skopeo'], exitCode: 1, signal, stderr });
  return imageFailure(error, 'registry.example.com/web:1') as RunletError;
}

/** As skopeo writes them when its output is no terminal. */
const skopeo = (text: string) => `time="2026-01-01T00:00:00Z" level=fatal msg="${text.replaceAll('"', '\\"')}"\n`;

describe('a failure of skopeo or umoci', () => {
  it.each([
    [
      'reading manifest 1 in registry.example.com/web: manifest unknown: manifest unknown',
      'not-found',
      'there is no such image',
    ],
    [
      'reading manifest 1 in registry.example.com/web: name unknown: repository name not known to registry',
      'not-found',
      'there is no such image',
    ],
    ['no descriptor found for reference "zz"', 'not-found', 'there is no such image'],
    ['open /nonexist/index.json: no such file or directory', 'not-found', 'no image of this kind at that path'],
    ['loading tar component manifest.json: unexpected EOF', 'not-found', 'no image of this kind at that path'],
    [
      'reading manifest 1 in registry.example.com/web: unauthorized: authentication required',
      'permission-denied',
      '--registry-auth',
    ],
    ['unable to retrieve auth token: invalid username/password: unauthorized', 'permission-denied', '--registry-auth'],
    ['errors: denied: requested access to the resource is denied', 'permission-denied', '--registry-auth'],
    [
      'pinging container registry: Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
      'unavailable',
      'cannot be reached',
    ],
    ['dial tcp: lookup registry.example.com on 10.0.0.1:53: no such host', 'unavailable', 'cannot be reached'],
    ['received unexpected HTTP status: 503 Service Unavailable', 'unavailable', 'cannot be reached'],
    ['net/http: TLS handshake timeout', 'unavailable', 'cannot be reached'],
    ['reading blob sha256:aa: unexpected EOF', 'unavailable', 'cannot be reached'],
    ['toomanyrequests: You have reached your pull rate limit', 'unavailable', 'asks to wait'],
    ['writing blob: write /x/oci-put-blob1: no space left on device', 'resource-exhausted', 'disk of the node is full'],
    ['x509: certificate signed by unknown authority', 'failed-precondition', 'not trusted'],
    ['http: server gave HTTP response to HTTPS client', 'failed-precondition', 'loopback only'],
    ['Source image rejected: Running image docker://x is rejected by policy.', 'permission-denied', 'signature policy'],
  ])('%s', (text, code, says) => {
    const error = failed(skopeo(`Error parsing image name "docker://registry.example.com/web:1": ${text}`));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^image registry\.example\.com\/web:1: /);
    expect(error.message).toContain(says);
  });

  it('is for good where another try cannot help', () => {
    expect(failed(skopeo('no image found in manifest list for architecture amd64, OS linux'))).toBeInstanceOf(
      TerminalError,
    );
    expect(
      failed('   ⨯ unpack: layer application/vnd.oci.image.layer.v1.tar+zstd: unsupported media type'),
    ).toMatchObject({
      reason: 'InvalidImage',
    });
  });

  it('may be tried again when the program was killed, or said what nobody knows', () => {
    expect(failed('', 'SIGKILL')).toMatchObject({ code: 'unavailable' });
    expect(failed('something new')).toMatchObject({
      code: 'unavailable',
      message: 'image registry.example.com/web:1: something new',
    });
  });

  it('is told of a full disk of our own writing as well, and leaves other errors as they are', () => {
    const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
    expect(imageFailure(full, 'web')).toMatchObject({ code: 'resource-exhausted' });
    const other = new Error('other');
    expect(imageFailure(other, 'web')).toBe(other);
  });

  it('shows no credentials that stand in an address', () => {
    expect(lastWords('Get "https://me:secret@registry.example.com/v2/": EOF')).not.toContain('secret');
  });
});
