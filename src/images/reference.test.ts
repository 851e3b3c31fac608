import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '#errors/errors.ts';
import { parseReference, sourceName } from './reference.ts';
import type { Reference } from './reference.ts';

const registryOnly = { localPaths: false };
const local = { localPaths: true, baseDir: '/srv/manifests' };
const digest = `sha256:${'a1'.repeat(32)}`;

describe('a reference to a registry', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.37', 'docker.io/library/busybox:1.37'],
    ['team/web', 'docker.io/team/web:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['index.docker.io/team/web:2', 'docker.io/team/web:2'],
    ['localhost/web', 'localhost/web:latest'],
    ['127.0.0.1:5000/team/web:1', '127.0.0.1:5000/team/web:1'],
    ['registry.example.com/a/b/c__d', 'registry.example.com/a/b/c__d:latest'],
    [`web@${digest}`, `docker.io/library/web@${digest}`],
    [`example.com/web:1@${digest}`, `example.com/web@${digest}`],
    ['[::1]:5000/web:1', '[::1]:5000/web:1'],
  ])('%s is in full %s', (text, full) => {
    const reference = parseReference(text, registryOnly);
    expect(reference.text).toBe(full);
    expect(sourceName(reference)).toBe(`docker://${full}`);
    expect(parseReference(full, registryOnly)).toEqual(reference);
  });

  it.each([
    '',
    'Web',
    'web:',
    'web@sha256:12',
    'a b',
    '-o',
    '--flag',
    'web:1:2',
    'a//b',
    'http://a/b',
    'web\n',
    '/web',
    'x'.repeat(600),
  ])('is not %j', (text) => expect(() => parseReference(text, registryOnly)).toThrow(InvalidArgumentError));

  it.each([
    ['localhost:5000/web', true],
    ['127.1.2.3/web', true],
    ['[::1]/web', true],
    ['localhost.example.com/web', false],
    ['127.0.0.1.example.com/web', false],
    ['10.0.0.1:5000/web', false],
    ['busybox', false],
  ])('%s is on loopback: %s', (text, loopback) => {
    expect(parseReference(text, registryOnly)).toMatchObject({ loopback });
  });

  it('is fetched by the digest that was found', () => {
    expect(sourceName(parseReference('web:1', registryOnly), digest)).toBe(`docker://docker.io/library/web@${digest}`);
  });
});

describe('a path of the node', () => {
  it.each([
    ['oci:images/web:1.0', 'oci:/srv/manifests/images/web:1.0'],
    ['oci:/images/web', 'oci:/images/web'],
    ['oci:./a/../web/', 'oci:/srv/manifests/web'],
    ['docker-archive:../web.tar:team/web:1', 'docker-archive:/srv/web.tar:team/web:1'],
  ])('%s is %s', (text, full) => {
    const reference = parseReference(text, local);
    expect(reference.text).toBe(full);
    expect(sourceName(reference)).toBe(full);
  });

  it.each(['oci:', 'docker-archive:', 'oci:a\0b', 'oci:a\nb'])('is not %j', (text) => {
    expect(() => parseReference(text, local)).toThrow(InvalidArgumentError);
  });

  it('must be absolute where nothing says where it begins', () => {
    expect(() => parseReference('oci:web', { localPaths: true })).toThrow('must name an absolute path');
  });

  it('is refused where references to registries only are allowed', () => {
    expect(() => parseReference('oci:/web', registryOnly)).toThrow('paths of the node are for manifest folders only');
  });
});

it('answers any text with a reference that stands for itself, or says what is wrong', () => {
  const part = fc.stringMatching(/^[a-zA-Z0-9.:/@_[\]-]{0,30}$/);
  const property = fc.property(
    fc.oneof(
      fc.string(),
      part,
      part.map((text) => `oci:${text}`),
    ),
    (text) => {
      const reference = parsedOrRefused(text);
      return reference === undefined || parsedOrRefused(reference.text)?.text === reference.text;
    },
  );
  expect(() => fc.assert(property)).not.toThrow();
});

function parsedOrRefused(text: string): Reference | undefined {
  try {
    return parseReference(text, local);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
}
