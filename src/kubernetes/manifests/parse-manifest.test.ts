import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseManifest } from './parse-manifest.ts';

const web = `
apiVersion: runlet.dev/v1alpha1
kind: NodeTask
metadata: { name: web }
spec: { image: 'registry.test/web:1' }
`;

function names(text: string): readonly string[] | undefined {
  return parseManifest(text, 'node-a').tasks?.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

describe('parseManifest', () => {
  it('takes one document or many, YAML or JSON, and fills in namespace and node', () => {
    expect(names(web)).toEqual(['default/web']);
    expect(names(`${web}---${web.replace('web }', 'db, namespace: team-a }')}`)).toEqual(['default/web', 'team-a/db']);
    expect(parseManifest(web, 'node-a').tasks?.[0]?.spec.nodeName).toBe('node-a');
    const json = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'j' }, spec: { image: 'a' } };
    expect(names(JSON.stringify(json, null, 2))).toEqual(['default/j']);
  });

  it('takes lists as kubectl prints them, empty documents and merge keys', () => {
    const item = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'j' }, spec: { image: 'a' } };
    expect(names(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item] }))).toEqual(['default/j']);
    expect(names(`---\n---${web}---\n`)).toEqual(['default/web']);
    const merged = web.replace("{ image: 'registry.test/web:1' }", "\n  <<: { image: 'registry.test/web:1' }");
    expect(names(merged)).toEqual(['default/web']);
  });

  it('takes images that are paths of the node: root wrote the file', () => {
    expect(names(web.replace('registry.test/web:1', 'oci:images/web:1'))).toEqual(['default/web']);
  });

  it('refuses a file as a whole, naming each object with field and rule', () => {
    const wrong = `${web}---${web.replace('name: web', 'name: db').replace('spec: {', 'spec: { runState: Off,')}`;
    expect(parseManifest(wrong, 'node-a')).toEqual({
      problems: ['NodeTask db: spec.runState: must be one of Created, Running, Paused, Stopped'],
    });
    expect(parseManifest('a: [', 'node-a').problems?.[0]).toMatch(/^it is no YAML: /);
    expect(parseManifest('just text', 'node-a').problems?.[0]).toMatch(/^document\[0\]: /);
  });

  it.each([
    ['', 'nothing'],
    ['# a comment\n', 'a comment'],
    ['---\n---\n', 'separators'],
  ])('takes no file for a wish to delete that holds only %j', (text) => {
    expect(parseManifest(text, 'node-a').problems).toEqual([
      'it holds no NodeTask: to delete its objects, remove the file',
    ]);
  });

  it('answers every text', () => {
    const answers = fc.property(fc.string(), (text) => {
      const { tasks, problems } = parseManifest(text, 'node-a');
      return (tasks === undefined) !== (problems === undefined);
    });
    expect(() => fc.assert(answers)).not.toThrow();
  });
});
