import { describe, expect, it } from 'vitest';
import type { NodeTask } from '../node-task/types.ts';
import { validateNodeTask } from '../node-task/validate.ts';
import { parsePolicy } from './policy.ts';

function taskOf(namespace: string, image: string): NodeTask {
  const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'web', namespace } };
  const { task } = validateNodeTask(
    { ...object, spec: { nodeName: 'a', image } },
    { source: 'cluster', nodeName: 'a' },
  );
  if (!task) throw new Error('no valid task');
  return task;
}

describe('the policy of a node', () => {
  it('refuses tasks of namespaces that it does not name, and says which field', () => {
    const policy = parsePolicy('namespaces: [team-a, "ci-*"]');
    expect(() => policy.checkSource(taskOf('team-a', 'busybox:1'))).not.toThrow();
    expect(() => policy.checkSource(taskOf('ci-12', 'busybox:1'))).not.toThrow();
    expect(() => policy.checkSource(taskOf('team-ab', 'busybox:1'))).toThrow(
      expect.objectContaining({
        reason: 'PolicyViolation',
        message: expect.stringMatching(/metadata\.namespace: .*team-ab/) as string,
      }),
    );
  });

  it('takes images from registries that it names only, by whole parts of the name in full', () => {
    const policy = parsePolicy('registries: [docker.io/library, registry.example.com]');
    for (const image of ['busybox:1', 'docker.io/library/nginx', 'registry.example.com/a/b:1']) {
      expect(() => policy.checkSource(taskOf('x', image)), image).not.toThrow();
    }
    for (const image of [
      'other/busybox:1',
      'registry.example.com.evil.org/a:1',
      'docker.io/library2/a',
      'ghcr.io/a/b:1',
    ]) {
      expect(() => policy.checkSource(taskOf('x', image)), image).toThrow(/spec\.image: must come from docker\.io/);
    }
    expect(() => parsePolicy('registries: []').checkSource(taskOf('x', 'busybox'))).toThrow(/no registry is allowed/);
  });

  it('narrows the level of a namespace by the first ceiling that fits, and never widens it', () => {
    const policy = parsePolicy('levels: [{namespace: kube-*, level: privileged}, {namespace: "*", level: baseline}]');
    expect(policy.levelOf('kube-system', 'privileged')).toBe('privileged');
    expect(policy.levelOf('kube-system', 'restricted')).toBe('restricted');
    expect(policy.levelOf('team-a', 'privileged')).toBe('baseline');
    expect(parsePolicy('').levelOf('team-a', 'privileged')).toBe('privileged');
  });

  it('refuses limits above its own and tasks that have none', () => {
    const policy = parsePolicy('limits: {cpu: "1", memory: 1Gi, pids: 100}');
    const check =
      (limits: Record<string, string>, defaultPids = 100) =>
      () =>
        policy.checkLimits({ limits }, defaultPids);
    expect(check({ cpu: '1000m', memory: '1024Mi' })).not.toThrow();
    expect(check({ cpu: '1001m', memory: '1Gi' })).toThrow(
      /spec\.resources\.limits\.cpu: must be there and at most 1$/,
    );
    expect(check({ cpu: '1', memory: '1025Mi' })).toThrow(/limits\.memory/);
    expect(check({ cpu: '1' })).toThrow(/limits\.memory: must be there/);
    expect(check({ cpu: '1', memory: '1Mi' }, 101)).toThrow(/limits\.pids/);
    expect(check({ cpu: '1', memory: '1Mi', pids: '50' }, 101)).not.toThrow();
    expect(() => policy.checkLimits(null, 1)).toThrow(/cpu.*memory/);
  });

  it('says whose sessions are recorded: the first that fits counts, no other is', () => {
    const text =
      'recording: {sessions: [{namespace: ci, mode: None}, {namespace: "c*", mode: Required}], maxSize: 1Mi}';
    const { recording } = parsePolicy(text);
    expect(['ci', 'ca', 'x'].map((name) => recording?.modeOf(name))).toEqual(['None', 'Required', 'None']);
    expect(recording).toMatchObject({ typed: true, maxBytes: 1_048_576, keepMs: 2_592_000_000, maxFiles: 1000 });
    expect(parsePolicy('').recording).toBeUndefined();
  });

  it.each([
    ['namespace: [a]', 'namespace: is no known field'],
    ['namespaces: [UP]', 'namespaces[0]: must be the name of a namespace'],
    ['registries: ["https://a/b"]', 'registries[0]: must be a registry'],
    ['levels: [{namespace: a, level: wide}]', 'levels[0].level: must be one of privileged, baseline, restricted'],
    ['limits: {memory: lots}', 'limits.memory: "lots" is no quantity'],
    ['limits: {cpu: 0}', 'limits.cpu: must be above 0'],
    ['recording: {sessions: [{namespace: a, mode: Always}]}', 'recording.sessions[0].mode: must be one of None'],
    ['recording: {sessions: [], maxSize: 0}', 'recording.maxSize: must be above 0'],
    ['limits: {disk: 1}', 'limits.disk: is no known field'],
    ['[', 'it is no YAML'],
    ['just text', 'must be a map of fields'],
  ])('refuses %s, naming field and rule', (text, said) => {
    expect(() => parsePolicy(text)).toThrow(said);
  });
});
