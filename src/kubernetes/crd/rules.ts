import { allCapabilities } from '#oci/capabilities.ts';
import { signalNames } from '#oci/signal.ts';
import { registryReferencePattern } from '#kubernetes/node-task/image-reference.ts';
import type { ValidationRule } from './structural-schema.ts';

/** A rule and where it stands: fields by name, `[]` for the items of a list, empty for the object itself. */
export interface PlacedRule extends ValidationRule {
  readonly path: string;
}

/** What names a signal: signal.ts's grammar as a regular expression. */
const realTimeOffset = '(0?[0-9]|[12][0-9]|30)';
const signalPattern = [
  ...signalNames,
  '0?[1-9]|[1-5][0-9]|6[0-4]',
  `RTMIN(\\+${realTimeOffset}|-00?)?`,
  `RTMAX(-${realTimeOffset}|\\+00?)?`,
].join('|');

const capabilityPattern = allCapabilities.map((name) => name.replace(/^CAP_/, '')).join('|');

const isSignal = (value: string) => `${value}.matches(r'^(?i:(SIG)?(${signalPattern}))$')`;
const isCapability = `self.matches(r'^(ALL|(CAP_)?(${capabilityPattern}))$')`;
const amount = (value: string) => `quantity(string(${value}))`;
const exactlyOne = (names: readonly string[]) =>
  `[${names.map((name) => `has(self.${name})`).join(', ')}].filter(x, x).size() == 1`;

/** Localhost goes with a name, and a name with Localhost. */
function profileRules(path: string): readonly PlacedRule[] {
  return [
    {
      path,
      rule: "has(self.localhostProfile) == (self.type == 'Localhost')",
      message: 'localhostProfile is required with type Localhost, and goes with it only',
    },
  ];
}

const volumeRules: readonly PlacedRule[] = [
  {
    path: 'spec.volumes[]',
    rule: exactlyOne(['emptyDir', 'hostPath', 'configMap', 'secret']),
    message: 'must have exactly one of emptyDir, hostPath, configMap, secret',
  },
  {
    path: 'spec.volumes[].emptyDir',
    rule: `!has(self.sizeLimit) || ${amount('self.sizeLimit')}.isGreaterThan(quantity('0'))`,
    message: 'sizeLimit must be more than 0',
  },
  {
    path: 'spec',
    rule: '!has(self.volumeMounts) || self.volumeMounts.all(m, has(self.volumes) && self.volumes.exists(v, v.name == m.name))',
    message: 'every one of volumeMounts must have the name of one of volumes',
  },
  {
    path: 'spec.volumeMounts[].mountPath',
    rule: "!self.matches(r'^/(\\.?/)*\\.?$')",
    message: 'must not be the root: use image or rootfs',
  },
  {
    path: 'spec.volumeMounts[].mountPath',
    rule: "!self.matches(r'(?s)^/(\\.?/)*proc(/.*)?$')",
    message: 'must not be in /proc',
  },
];

const resourceRules: readonly PlacedRule[] = [
  {
    path: 'spec.resources.limits',
    rule: "self.all(k, k in ['cpu', 'memory', 'pids'] || k.startsWith('hugepages-'))",
    message: 'known resources are cpu, memory, pids and hugepages-SIZE',
  },
  {
    path: 'spec.resources.limits',
    rule: `self.all(k, k.startsWith('hugepages-') || ${amount('self[k]')}.isGreaterThan(quantity('0')))`,
    message: 'cpu, memory and pids must be more than 0',
  },
  {
    path: 'spec.resources.limits',
    rule:
      "self.all(k, !k.startsWith('hugepages-') || (isQuantity(k.substring(10)) && quantity(k.substring(10)).isGreaterThan(quantity('0')) && " +
      `${amount('self[k]')}.isInteger() && ${amount('self[k]')}.asInteger() >= 0 && ` +
      `${amount('self[k]')}.asInteger() % quantity(k.substring(10)).asInteger() == 0))`,
    message: 'hugepages-SIZE must name a page size, such as hugepages-2Mi, and be a multiple of it',
  },
  {
    path: 'spec.resources.requests',
    rule: "self.all(k, k in ['cpu', 'memory'])",
    message: 'known requests are cpu and memory',
  },
  {
    path: 'spec.resources.requests',
    rule: `self.all(k, !${amount('self[k]')}.isLessThan(quantity('0')))`,
    message: 'must not be negative',
  },
  {
    path: 'spec.resources',
    rule: `!has(self.limits) || !has(self.requests) || self.requests.all(k, !(k in self.limits) || !${amount('self.requests[k]')}.isGreaterThan(${amount('self.limits[k]')}))`,
    message: 'requests must not be more than limits',
  },
  {
    path: 'spec.resources',
    rule: `!has(self.memoryHigh) || ${amount('self.memoryHigh')}.isGreaterThan(quantity('0'))`,
    message: 'memoryHigh must be more than 0',
  },
  {
    path: 'spec.resources',
    rule: `!has(self.memoryHigh) || !has(self.limits) || !('memory' in self.limits) || !${amount('self.memoryHigh')}.isGreaterThan(${amount("self.limits['memory']")})`,
    message: 'memoryHigh must not be more than limits.memory',
  },
  {
    path: 'spec.resources',
    rule: "!has(self.memorySwap) || (has(self.limits) && 'memory' in self.limits)",
    message: 'memorySwap needs limits.memory beside it',
  },
  {
    path: 'spec.resources',
    rule: `!has(self.memorySwap) || !${amount('self.memorySwap')}.isLessThan(quantity('0'))`,
    message: 'memorySwap must not be negative',
  },
  ...['cpus', 'mems'].map((field) => ({
    path: `spec.resources.cpuset.${field}`,
    rule: "self.split(',').all(p, !p.contains('-') || int(p.split('-')[0]) <= int(p.split('-')[1]))",
    message: 'has a range that ends before it begins',
  })),
  {
    path: 'spec.resources.io.devices[]',
    rule: 'has(self.readBytesPerSecond) || has(self.writeBytesPerSecond) || has(self.readOperationsPerSecond) || has(self.writeOperationsPerSecond)',
    message: 'must have one of readBytesPerSecond and the like',
  },
];

const securityRules: readonly PlacedRule[] = [
  {
    path: 'spec.securityContext',
    rule: '!has(self.runAsNonRoot) || !self.runAsNonRoot || !has(self.runAsUser) || self.runAsUser != 0',
    message: 'runAsUser must not be 0 with runAsNonRoot: name another user',
  },
  {
    path: 'spec.securityContext',
    rule: '!has(self.privileged) || !self.privileged || !has(self.allowPrivilegeEscalation) || self.allowPrivilegeEscalation',
    message: 'allowPrivilegeEscalation must not be false with privileged: remove one of them',
  },
  ...['add', 'drop'].map((list) => ({
    path: `spec.securityContext.capabilities.${list}[]`,
    rule: isCapability,
    message: 'is no capability of Linux: write a name such as NET_ADMIN, or ALL',
  })),
  ...profileRules('spec.securityContext.seccompProfile'),
  ...profileRules('spec.securityContext.appArmorProfile'),
];

/** What an API server refuses of a NodeTask beyond its schema: the rules that the agent checks too (rules.ts of node-task). */
export const nodeTaskRules: readonly PlacedRule[] = [
  {
    path: '',
    rule: "self.metadata.name.size() <= 63 && self.metadata.name.matches(r'^[a-z0-9]+([-.][a-z0-9]+)*$')",
    message: 'metadata.name must be at most 63 lower-case letters and digits, with single hyphens or dots between them',
  },
  { path: 'spec.nodeName', rule: 'self == oldSelf', message: 'never changes: delete the object and create it anew' },
  {
    path: 'spec',
    rule: 'has(self.restoreFrom) == has(oldSelf.restoreFrom) && (!has(self.restoreFrom) || self.restoreFrom == oldSelf.restoreFrom)',
    message: 'restoreFrom never changes: delete the object and create it anew',
  },
  { path: 'spec', rule: 'has(self.image) != has(self.rootfs)', message: 'must have exactly one of image, rootfs' },
  {
    path: 'spec.image',
    rule: "!self.startsWith('oci:') && !self.startsWith('docker-archive:')",
    message: 'must be a reference to a registry: paths of the node are for manifest folders only',
  },
  {
    path: 'spec.image',
    rule: `self.startsWith('oci:') || self.startsWith('docker-archive:') || self.matches(r'${registryReferencePattern}')`,
    message: 'must be an image reference such as docker.io/library/busybox:1.37: lower case, no spaces',
  },
  { path: 'spec.rootfs.path', rule: "self != '/'", message: 'must not be the root of the node' },
  {
    path: 'spec',
    rule: '!has(self.rootfs) || (has(self.command) && self.command.size() > 0) || (has(self.args) && self.args.size() > 0)',
    message: 'command is required with rootfs: a plain folder says nothing about its program',
  },
  {
    path: 'spec.env[]',
    rule: '!(has(self.value) && has(self.valueFrom))',
    message: 'must have value or valueFrom, not both: remove one of them',
  },
  {
    path: 'spec.env[].valueFrom',
    rule: exactlyOne(['fieldRef', 'configMapKeyRef', 'secretKeyRef']),
    message: 'must have exactly one of fieldRef, configMapKeyRef, secretKeyRef',
  },
  {
    path: 'spec.envFrom[]',
    rule: 'has(self.configMapRef) != has(self.secretRef)',
    message: 'must have exactly one of configMapRef, secretRef',
  },
  {
    path: 'spec.stopSignal',
    rule: isSignal('self'),
    message: 'must be a signal: a name such as TERM, or a number from 1 to 64',
  },
  ...volumeRules,
  ...resourceRules,
  ...securityRules,
];

const immutable: PlacedRule = {
  path: 'spec',
  rule: 'self == oldSelf',
  message: 'never changes: create another object',
};

/** The same for the kinds that ask for one act. */
export const oneShotRules = {
  NodeTaskExec: [immutable],
  NodeTaskSignal: [
    immutable,
    {
      path: 'spec.signal',
      rule: isSignal('self'),
      message: 'must be a signal: a name such as HUP, or a number from 1 to 64',
    },
  ],
  NodeTaskCheckpoint: [immutable],
} as const satisfies Record<string, readonly PlacedRule[]>;

/** And for those that announce a stream. */
export const sessionRules: readonly PlacedRule[] = [immutable];
