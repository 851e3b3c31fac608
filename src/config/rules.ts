import { isCgroupFileName } from '#host/kernel-names.ts';
import { flagOf, variableOf, type CheckedSettings, type SettingName } from './schema.ts';

/** A setting and the rule that its value breaks. */
export interface SettingProblem {
  readonly name: SettingName;
  readonly rule: string;
}

/** `--log-max-size (RUNLET_LOG_MAX_SIZE, logMaxSize): must be …`: every name that it may have been given by. */
export function problemText({ name, rule }: SettingProblem): string {
  return `${flagOf(name)} (${variableOf(name)}, ${name}): ${rule}`;
}

/** What is wrong between settings that are right each by itself. */
export function ruleProblems(settings: CheckedSettings): readonly SettingProblem[] {
  return [
    ...addressProblems(settings),
    ...folderProblems(settings),
    ...sourceProblems(settings),
    ...policyProblems(settings),
    ...cgroupProblems(settings),
    ...metricsProblems(settings),
    ...streamProblems(settings),
  ];
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** The longest path that fits into the address of a unix socket (unix(7)), its final zero not counted. */
const longestSocketPath = 107;

function addressProblems({ address }: CheckedSettings): SettingProblem[] {
  if (Buffer.byteLength(address) <= longestSocketPath) return [];
  return [{ name: 'address', rule: `must have at most ${longestSocketPath} bytes, as every unix socket's path` }];
}

function folderProblems(settings: CheckedSettings): SettingProblem[] {
  const folders = (['root', 'state', 'logDir'] as const).map((name) => ({ name, path: settings[name] }));
  return folders.flatMap(({ name, path }, index) => {
    if (path === '/') return [{ name, rule: 'must not be the root of the file system' }];
    const same = folders.slice(0, index).find((other) => other.path === path);
    return same ? [{ name, rule: `must be another folder than ${flagOf(same.name)}` }] : [];
  });
}

function sourceProblems({ manifests, kubernetes, kubeconfig }: CheckedSettings): SettingProblem[] {
  if (manifests === undefined || (!kubernetes && kubeconfig === undefined)) return [];
  const other = kubernetes ? '--kubernetes' : '--kubeconfig';
  return [{ name: 'manifests', rule: `must not stand together with ${other}: there is one desired state` }];
}

function policyProblems({ policy, kubernetes, kubeconfig }: CheckedSettings): SettingProblem[] {
  if (policy === undefined || kubernetes || kubeconfig !== undefined) return [];
  return [{ name: 'policy', rule: 'narrows what a cluster may ask for: it needs --kubernetes or --kubeconfig' }];
}

function cgroupProblems({ cgroupDriver, cgroupParent }: CheckedSettings): SettingProblem[] {
  const rule = cgroupParent === undefined ? undefined : brokenParentRule(cgroupDriver, cgroupParent);
  return rule === undefined ? [] : [{ name: 'cgroupParent', rule }];
}

function brokenParentRule(driver: CheckedSettings['cgroupDriver'], parent: string): string | undefined {
  if (driver === 'systemd') {
    if (/^[\w.@:-]+\.slice$/.test(parent)) return undefined;
    return 'must be the name of a slice, such as runlet.slice, with the systemd driver';
  }
  if (!/^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)+$/.test(parent)) {
    return 'must be a path below the root of the cgroups, such as /runlet';
  }
  const file = parent.split('/').find(isCgroupFileName);
  return file === undefined
    ? undefined
    : `must not hold the name ${file}: the kernel has a file of that name in every cgroup, not ${JSON.stringify(parent)}`;
}

function metricsProblems(settings: CheckedSettings): SettingProblem[] {
  const {
    metricsAddress,
    metricsAuth,
    metricsTlsCert,
    metricsTlsKey,
    metricsClientCa,
    metricsAllow,
    kubernetes,
    kubeconfig,
  } = settings;
  const problems: SettingProblem[] = [];
  const say = (name: SettingName, rule: string) => void problems.push({ name, rule });
  if ((metricsTlsCert === undefined) !== (metricsTlsKey === undefined)) {
    say(
      metricsTlsCert === undefined ? 'metricsTlsCert' : 'metricsTlsKey',
      'is required: certificate and key go together',
    );
  }
  if (!isLoopback(metricsAddress.host) && metricsTlsCert === undefined) {
    say('metricsTlsCert', 'is required because --metrics-address is not on loopback');
  }
  if (!isLoopback(metricsAddress.host) && (metricsAuth === undefined || metricsAuth === 'none')) {
    say('metricsAuth', 'must be mtls, kubernetes or jwt because --metrics-address is not on loopback');
  }
  if (metricsAuth === 'mtls' && metricsClientCa === undefined) {
    say('metricsClientCa', 'is required with --metrics-auth mtls');
  }
  if ((metricsAuth === 'mtls' || metricsClientCa !== undefined) && metricsTlsCert === undefined) {
    say('metricsTlsCert', 'is required where clients show certificates');
  }
  if (metricsAllow.length > 0 && metricsAuth !== 'mtls' && metricsAuth !== 'jwt') {
    say('metricsAllow', 'goes with --metrics-auth mtls or jwt; with kubernetes the rules of the cluster say who may');
  }
  if ((metricsAuth === 'kubernetes' || metricsAuth === 'jwt') && !kubernetes && kubeconfig === undefined) {
    say('metricsAuth', `${metricsAuth} needs a cluster that knows the tokens: --kubernetes or --kubeconfig`);
  }
  return problems;
}

function streamProblems({ streamAddress, kubernetes, kubeconfig }: CheckedSettings): SettingProblem[] {
  if (streamAddress === undefined) return [];
  const name = 'streamAddress';
  if (!isLoopback(streamAddress.host)) return [{ name, rule: 'must be on loopback: only the API server leads there' }];
  if (kubernetes || kubeconfig !== undefined) return [];
  return [{ name, rule: 'needs a cluster that sessions come from: --kubernetes or --kubeconfig' }];
}
