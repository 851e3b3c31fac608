import { describe, expect, it } from 'vitest';
import { fieldProblems, operatorKinds, readApiFields, renderedKinds, type Models } from '../support/api-fields.ts';
import { render, type Rendered } from '../support/helm.ts';

const fields = readApiFields();
const groups: Readonly<Record<string, string>> = {
  ...{ DaemonSet: 'apps/v1', Deployment: 'apps/v1', Job: 'batch/v1', NetworkPolicy: 'networking.k8s.io/v1' },
  ...{ Role: 'rbac.authorization.k8s.io/v1', RoleBinding: 'rbac.authorization.k8s.io/v1' },
  ...{ ClusterRole: 'rbac.authorization.k8s.io/v1', ClusterRoleBinding: 'rbac.authorization.k8s.io/v1' },
  CustomResourceDefinition: 'apiextensions.k8s.io/v1',
  ValidatingAdmissionPolicy: 'admissionregistration.k8s.io/v1',
  ValidatingAdmissionPolicyBinding: 'admissionregistration.k8s.io/v1',
  ...{ PodMonitor: 'monitoring.coreos.com/v1', PrometheusRule: 'monitoring.coreos.com/v1' },
};

const allow = ['--set', 'allowUnsupportedKubernetes=true'];
const everything = [
  ...['--set', 'metrics.podMonitor.enabled=true,metrics.prometheusRule.enabled=true,metrics.dashboard.enabled=true'],
  ...['--set', 'networkPolicy.enabled=true,agent.registryAuthSecret=registries,agent.rootfsAllow={/srv/rootfs}'],
  ...['--set', 'agent.budget.memory=8Gi,agent.budget.pids=4096,agent.budget.cpuWeight=200,controller.replicas=2'],
  ...['--set', 'agent.metricsAuth=mtls,agent.metricsTlsSecret=own,metrics.podMonitor.tokenSecret=scraper'],
  ...['--set', 'uninstall.policy=Stop,nameOverride=tasks,image.digest=sha256:abc,imagePullSecrets[0].name=pull'],
  ...['--set', 'agent.policy=text,agent.registries=text,agent.extraEnv[0].name=A,agent.extraEnv[0].value=b'],
  ...['--set', 'controller.tolerations[0].operator=Exists,agent.podAnnotations.a=b,commonLabels.a=b'],
];

/** The versions by whose documents an object is judged: its own, or where there is none those before and after it. */
function judgesOf(minor: number): readonly Models[] {
  const near = fields.versions[minor] ? [minor] : [minor - 1, minor + 1];
  return near.map((each) => fields.versions[each] ?? {});
}

function problemsOf(object: Rendered, minor: number): readonly string[] {
  const { kind, apiVersion, metadata } = object;
  const where = `${kind} ${metadata.name}`;
  if (apiVersion !== (groups[kind] ?? 'v1')) return [`${where}: ${apiVersion}`];
  return judgesOf(minor).flatMap((models) => {
    const ours = operatorKinds.includes(kind);
    const type = ours ? kind : `V1${kind}`;
    if (!ours && !models[type]) return [`${where}: no such kind`];
    return fieldProblems(ours ? { ...models, ...fields.operator } : models, type, object, where);
  });
}

describe('every object of the chart', () => {
  it.each([28, 29, 30, 31, 32, 33, 34, 35, 36])('has only fields that Kubernetes 1.%i knows', async (minor) => {
    for (const flags of [[], everything]) {
      const objects = await render(minor, ...allow, ...flags);
      expect(objects.length).toBeGreaterThan(20);
      expect(objects.flatMap((object) => problemsOf(object, minor))).toEqual([]);
    }
  });
});

describe('the judgement of fields', () => {
  const models = fields.versions['36'] ?? {};
  const judge = (type: string, value: unknown) => fieldProblems(models, type, value);

  it('knows every kind that may be rendered', () => {
    for (const kind of renderedKinds) expect(Object.keys(models), kind).toContain(`V1${kind}`);
    for (const kind of operatorKinds) expect(Object.keys(fields.operator)).toContain(kind);
  });

  it('names what does not exist, is lacking or has another type, wherever it is', () => {
    const spec = { containers: [{ name: 'a', imagePullPolice: 'Always' }], hostPID: 'true' };
    expect(judge('V1Pod', { spec })).toEqual([
      '.spec.containers[0].imagePullPolice: no such field',
      '.spec.hostPID: "true" is no boolean',
    ]);
    expect(judge('V1DaemonSetSpec', { template: {} })).toEqual(['.selector: is required']);
    expect(judge('V1ConfigMap', { data: { a: 1 } })).toEqual(['.data.a: 1 is no string']);
    expect(judge('V1Pod', { spec: { containers: {} } })).toEqual(['.spec.containers: no list']);
    expect(judge('V1Pod', { metadata: null })).toEqual(['.metadata: null']);
  });
});
