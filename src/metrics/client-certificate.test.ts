import { describe, expect, it } from 'vitest';
import { namesOf } from './client-certificate.ts';

describe('namesOf', () => {
  it.each<[unknown, string | undefined, string[]]>([
    ['prometheus', undefined, ['prometheus']],
    ['prometheus', 'DNS:prom.example', ['prometheus', 'prom.example']],
    [
      undefined,
      'IP Address:127.0.0.1, URI:spiffe://example/prometheus, email:a@example',
      ['spiffe://example/prometheus', 'a@example'],
    ],
    [['two', 'names'], 'DNS:a.example, DNS:b.example', ['a.example', 'b.example']],
    // One name that looks like two: Node quotes it.
    [undefined, String.raw`DNS:"a.example, DNS:prometheus", URI:x`, ['a.example, DNS:prometheus', 'x']],
    [undefined, String.raw`DNS:"say \"a, URI:prometheus\""`, ['say "a, URI:prometheus"']],
  ])('of %j and %j are %j', (commonName, subjectAltName, names) => {
    expect(namesOf({ commonName, subjectAltName })).toEqual(names);
  });
});
