import { describe, expect, it } from 'vitest';
import { MalformedError, TerminalError } from '#errors/errors.ts';
import { choosePlatform, digestOf, parseAnyManifest } from './manifest.ts';
import type { Index } from './manifest.ts';

const amd64 = { os: 'linux', architecture: 'amd64' };
const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const part = (digit: string) => ({ digest: digest(digit), size: 10, mediaType: 'application/x' });

function index(...platforms: (object | undefined)[]): Index {
  const manifests = platforms.map((platform, at) => ({ ...part(String(at)), ...(platform ? { platform } : {}) }));
  const found = parseAnyManifest(JSON.stringify({ schemaVersion: 2, manifests }), 'web');
  if (found.kind !== 'index') throw new Error('no index');
  return found.index;
}

describe('a manifest', () => {
  it('is of one image, of one for several platforms, or of a form that others read', () => {
    const one = { schemaVersion: 2, config: part('a'), layers: [part('b')] };
    expect(parseAnyManifest(JSON.stringify(one), 'web')).toEqual({
      kind: 'manifest',
      manifest: { config: part('a'), layers: [part('b')] },
    });
    expect(index(amd64).manifests).toHaveLength(1);
    expect(parseAnyManifest('{"schemaVersion":1,"fsLayers":[]}', 'web')).toEqual({ kind: 'other' });
  });

  it.each([
    '',
    '{',
    '{"config":{},"layers":[]}',
    `{"config":${JSON.stringify({ ...part('a'), digest: 'sha256:../../x' })},"layers":[]}`,
    `{"manifests":[{"digest":"x","size":-1}]}`,
  ])('is not %s', (text) => {
    expect(() => parseAnyManifest(text, 'web')).toThrow(MalformedError);
  });

  it('has the digest of its bytes', () => {
    expect(digestOf('{}')).toBe('sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });
});

describe('the choice among platforms', () => {
  it('is the one of this node, in the form that every machine of it runs', () => {
    const all = index({ os: 'linux', architecture: 'arm64', variant: 'v8' }, { ...amd64, variant: 'v3' }, amd64);
    expect(choosePlatform(all, amd64, 'web').digest).toBe(digest('2'));
    expect(choosePlatform(all, { os: 'linux', architecture: 'arm64' }, 'web').digest).toBe(digest('0'));
  });

  it('is the only one where nothing says for what it is', () => {
    expect(choosePlatform(index(undefined), amd64, 'web').digest).toBe(digest('0'));
  });

  it('fails with what there is, and no retry', () => {
    const others = index({ os: 'linux', architecture: 's390x' }, { os: 'unknown', architecture: 'unknown' });
    expect(() => choosePlatform(others, amd64, 'web:1')).toThrow(
      new TerminalError('WrongPlatform', 'image web:1 is for linux/s390x; this node runs linux/amd64'),
    );
  });
});
