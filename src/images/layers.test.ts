import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '#errors/errors.ts';
import { ImageFolders } from './folders.ts';
import { Layers } from './layers.ts';

describe('the key of a layer', () => {
  it('is one folder, whatever its names are', () => {
    expect(new Layers('/layers').upper('k8s.default/web-1')).toBe('/layers/k8s.default%2Fweb-1/upper');
  });

  it.each(['', '/', '../x', 'a/../b', 'a//b', '.hidden', 'a,b', 'a:b', 'a b', 'x'.repeat(250)])('is not %j', (key) => {
    expect(() => new Layers('/layers').upper(key)).toThrow(InvalidArgumentError);
  });
});

describe("the images' folder", () => {
  it.each(['/var/lib/a:b', '/var/lib/a,b', '/var/lib/a\\b', '/var/lib/"'])('cannot be below %s', (root) => {
    expect(() => new ImageFolders(root)).toThrow('overlays cannot name it');
  });
});
