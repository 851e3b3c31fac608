import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { settings } from '#config/schema.ts';
import { madeFiles } from '../../scripts/chart.ts';
import { chartFolder, helm, render, type Rendered } from '../support/helm.ts';

const supported = [31, 32, 33, 34, 35, 36];
const unsupported = [28, 29, 30];
const allow = ['--set', 'allowUnsupportedKubernetes=true'];

/** What is the same at every rendering: CRDs are compared with their sources, certificates are made anew. */
function inEssence(objects: readonly Rendered[]): string {
  return objects
    .filter(({ kind }) => kind !== 'CustomResourceDefinition')
    .map((object) =>
      dump(object.kind === 'Secret' ? { ...object, data: 'made at rendering' } : object, { lineWidth: 120 }),
    )
    .join('---\n');
}

function crds(objects: readonly Rendered[]): readonly Rendered[] {
  return objects.filter(({ kind }) => kind === 'CustomResourceDefinition');
}

function only(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} of ${kind} ${name}`);
  return found[0]!;
}

describe('the chart', () => {
  it('has nothing that helm would warn of', async () => {
    expect(await helm('lint', '--strict', chartFolder)).toContain('0 chart(s) failed');
  });

  it('has made parts that follow their sources: run `npm run chart`', () => {
    for (const [path, text] of madeFiles()) expect(readFileSync(join(chartFolder, path), 'utf8'), path).toBe(text);
  });

  it.each(supported)('renders for Kubernetes 1.%i as it is reviewed', async (minor) => {
    await expect(inEssence(await render(minor))).toMatchFileSnapshot('../golden/chart/default.yaml');
  });

  it.each(unsupported)('stops on Kubernetes 1.%i with a sentence, unless that is allowed', async (minor) => {
    await expect(render(minor)).rejects.toThrow(/needs Kubernetes 1\.31 or later.*allowUnsupportedKubernetes=true/);
    const golden = minor < 30 ? 'without-policies' : 'default';
    await expect(inEssence(await render(minor, ...allow))).toMatchFileSnapshot(`../golden/chart/${golden}.yaml`);
  });

  it('brings CRDs with all rules, and without them where the server does not know them', async () => {
    const modern = crds(await render(33));
    const old = crds(await render(30, ...allow));
    expect(modern.map(({ metadata }) => metadata.name)).toEqual([
      'nodetaskattachsessions.runlet.dev',
      'nodetaskcheckpoints.runlet.dev',
      'nodetaskexecs.runlet.dev',
      'nodetaskexecsessions.runlet.dev',
      'nodetasklogsessions.runlet.dev',
      'nodetasks.runlet.dev',
      'nodetasksignals.runlet.dev',
      'nodetasktopsessions.runlet.dev',
    ]);
    for (const crd of [...modern, ...old]) {
      expect(crd.metadata.annotations?.['helm.sh/resource-policy']).toBe('keep');
    }
    expect(JSON.stringify(modern)).toContain('x-kubernetes-validations');
    expect(JSON.stringify(modern)).toContain('selectableFields');
    expect(JSON.stringify(old)).not.toMatch(/x-kubernetes-validations|selectableFields/);
    const [without] = crds(await render(33, '--set', 'crds.keep=false'));
    expect(without?.metadata.annotations).toEqual({});
    expect(crds(await render(33, '--set', 'crds.install=false'))).toEqual([]);
  });

  it('renders with everything on as it is reviewed', async () => {
    const flags = [
      ...['--set', 'metrics.podMonitor.enabled=true,metrics.prometheusRule.enabled=true'],
      ...['--set', 'networkPolicy.enabled=true,agent.registryAuthSecret=registries,agent.rootfsAllow={/srv/rootfs}'],
      ...['--set', 'agent.budget.memory=8Gi,agent.budget.pids=4096,agent.budget.cpuWeight=200'],
      ...['--set', 'agent.metricsAuth=mtls,agent.metricsTlsSecret=own,metrics.podMonitor.tokenSecret=scraper'],
      ...['--set', 'uninstall.policy=Stop,nameOverride=tasks,image.digest=sha256:abc'],
    ];
    await expect(inEssence(await render(34, ...flags))).toMatchFileSnapshot('../golden/chart/everything.yaml');
    const dashboard = await render(34, '--set', 'metrics.dashboard.enabled=true');
    const { data } = only(dashboard, 'ConfigMap', 'runlet-dashboard') as unknown as { data: Record<string, string> };
    expect(JSON.parse(data['runlet.json'] ?? '')).toEqual(
      JSON.parse(readFileSync(join(chartFolder, 'files/dashboard.json'), 'utf8')),
    );
  });

  it.each([
    ['a value that is none', 'agent.logLevl=debug', /logLevl/],
    ['a section that is none', 'agnet.logLevel=debug', /agnet/],
    ['a word that is no choice', 'agent.cgroupDriver=cgroup', /cgroupDriver/],
    ['an open endpoint', 'agent.metricsAuth=none', /metricsAuth must be mtls, kubernetes or jwt/],
    ['mtls without its authority', 'agent.metricsAuth=mtls', /metricsTlsSecret must name a Secret/],
  ])('refuses %s and names it', async (_what, value, text) => {
    await expect(render(33, '--set', value)).rejects.toThrow(text);
  });

  it('hands every setting of the agent on, and no other', async () => {
    // What the chart decides itself, or has a value of another name for.
    const own = ['manifests', 'kubeconfig', 'kubernetes', 'nodeName', 'policy', 'registryAuth', 'metricsTlsCert'];
    const made = new Set([...own, 'metricsTlsKey', 'metricsClientCa']);
    const values = load(readFileSync(join(chartFolder, 'values.yaml'), 'utf8')) as { agent: Record<string, unknown> };
    const config = readFileSync(join(chartFolder, 'templates/_helpers.tpl'), 'utf8');
    for (const name of Object.keys(settings)) {
      if (made.has(name) || name.startsWith('budget')) continue;
      expect(values.agent, name).toHaveProperty(name);
      expect(config, name).toContain(`"${name}"`);
    }
    const objects = await render(33, '--set', 'agent.logLevel=debug,agent.hostPathAllow={/srv/a,/srv/b}');
    const { data } = only(objects, 'ConfigMap', 'runlet-agent') as unknown as { data: Record<string, string> };
    const written = load(data['agent.yaml'] ?? '') as Record<string, unknown>;
    expect(written).toMatchObject({ kubernetes: true, logLevel: 'debug', hostPathAllow: ['/srv/a', '/srv/b'] });
    for (const name of Object.keys(written)) expect(Object.keys(settings)).toContain(name);
  });

  it('names only service accounts, configuration and roles that it makes', async () => {
    const objects = await render(33);
    const names = (kind: string) =>
      objects.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);
    const text = JSON.stringify(objects);
    for (const [, account] of text.matchAll(/"serviceAccountName":"([^"]+)"/g)) {
      expect(names('ServiceAccount')).toContain(account);
    }
    for (const [, role] of text.matchAll(/"kind":"ClusterRole","name":"([^"]+)"/g)) {
      expect(names('ClusterRole')).toContain(role);
    }
  });

  it('gives nobody a wildcard, and the agent neither secrets nor pods', async () => {
    const roles = (await render(33)).filter(({ kind }) => kind.endsWith('Role'));
    expect(JSON.stringify(roles)).not.toContain('"*"');
    expect(JSON.stringify(only(roles, 'ClusterRole', 'runlet-agent'))).not.toMatch(/secrets|pods|nodes"/);
  });

  it('lets only the agent be more than restricted', async () => {
    const objects = await render(33);
    for (const { kind, metadata, ...rest } of objects.filter((object) =>
      ['Deployment', 'Job', 'Pod'].includes(object.kind),
    )) {
      expect(JSON.stringify(rest), `${kind} ${metadata.name}`).toMatch(/"runAsNonRoot":true/);
      expect(JSON.stringify(rest), `${kind} ${metadata.name}`).not.toMatch(/privileged|hostPath|hostPID/);
    }
  });
});
