import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from './config.ts';
import { loadConfig } from './load.ts';
import type { RawSettings } from './schema.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function load(flags: RawSettings = {}, env: Record<string, string> = {}, yaml?: string): Config {
  const file = join(folder, 'agent.yaml');
  if (yaml !== undefined) writeFileSync(file, yaml);
  return loadConfig({ flags, env, hostName: 'host-1', ...(yaml === undefined ? {} : { file }) });
}

describe('loadConfig', () => {
  it('gives every setting that has a default its default', () => {
    expect(load()).toMatchObject({
      address: '/run/runlet/runlet.sock',
      root: '/var/lib/runlet',
      state: '/run/runlet',
      logDir: '/var/log/runlet',
      logMaxSize: 10 * 1024 * 1024,
      logMaxFiles: 5,
      logKeep: 24 * 3600 * 1000,
      runtime: 'runc',
      cgroupParent: '/runlet',
      cgroupDriver: 'cgroupfs',
      kubernetes: false,
      podSecurityDefault: 'baseline',
      defaultPidsLimit: 2048,
      rootfsAllow: [],
      hostPathAllow: [],
      metricsAddress: { host: '127.0.0.1', port: 9620 },
      metricsAuth: 'none',
      metricsProfile: 'standard',
      nodeName: 'host-1',
    });
    expect(load()).not.toHaveProperty('manifests');
  });

  it('lets flags win over the environment, and that over the file', () => {
    const yaml = 'logMaxFiles: 3\nlogLevel: debug\nruntime: crun\n';
    const config = load({ runtime: 'runc' }, { RUNLET_LOG_LEVEL: 'warn', RUNLET_RUNTIME: 'youki' }, yaml);
    expect(config).toMatchObject({ logMaxFiles: 3, logLevel: 'warn', runtime: 'runc' });
  });

  it('reads lists from a file, from one variable and from repeated flags', () => {
    expect(load({}, {}, 'rootfsAllow: [/srv/a, /srv/b/]').rootfsAllow).toEqual(['/srv/a', '/srv/b']);
    expect(load({}, { RUNLET_HOST_PATH_ALLOW: '/srv/a:/srv/b' }).hostPathAllow).toEqual(['/srv/a', '/srv/b']);
    expect(load({ rootfsAllow: ['/x'] }, { RUNLET_ROOTFS_ALLOW: '/y' }).rootfsAllow).toEqual(['/x']);
  });

  it('understands sizes and times with their units', () => {
    expect(load({ logMaxSize: '500k', logKeep: '1h30m' })).toMatchObject({ logMaxSize: 500_000, logKeep: 5_400_000 });
    expect(load({}, {}, 'logMaxSize: 2048\nlogKeep: 0')).toMatchObject({ logMaxSize: 2048, logKeep: 0 });
  });

  it('takes the name of the node from the flag, RUNLET_NODE_NAME, NODE_NAME or the host, in this order', () => {
    const env = { RUNLET_NODE_NAME: 'b', NODE_NAME: 'c' };
    expect(load({ nodeName: 'a' }, env).nodeName).toBe('a');
    expect(load({}, env).nodeName).toBe('b');
    expect(load({}, { NODE_NAME: 'c' }).nodeName).toBe('c');
    expect(load({}, { NODE_NAME: '' }).nodeName).toBe('host-1');
  });

  it('takes names one by one from flags and the file, and with commas between them from a variable', () => {
    const mtls = { metricsAuth: 'mtls', metricsTlsCert: '/c', metricsTlsKey: '/k', metricsClientCa: '/ca' };
    expect(load({ ...mtls, metricsAllow: ['spiffe://a/b,c', 'd'] }).metricsAllow).toEqual(['spiffe://a/b,c', 'd']);
    expect(load(mtls, { RUNLET_METRICS_ALLOW: 'system:serviceaccount:a:b, d,' }).metricsAllow).toEqual([
      'system:serviceaccount:a:b',
      'd',
    ]);
    expect(load(mtls, {}, 'metricsAllow: [e]').metricsAllow).toEqual(['e']);
    expect(load({}).metricsAllow).toEqual([]);
  });

  it('reads the file that RUNLET_CONFIG names, and an empty one', () => {
    const file = join(folder, 'other.yaml');
    writeFileSync(file, 'logMaxFiles: 9\n');
    expect(load({}, { RUNLET_CONFIG: file }).logMaxFiles).toBe(9);
    expect(load({}, {}, '').logMaxFiles).toBe(5);
    expect(load({}, {}, '# nothing yet\n').logMaxFiles).toBe(5);
  });

  it('begins the cgroups in a slice with the systemd driver', () => {
    expect(load({ cgroupDriver: 'systemd' }).cgroupParent).toBe('runlet.slice');
  });

  it('does not mind variables that Kubernetes sets for a service named runlet', () => {
    expect(() => load({}, { RUNLET_PORT: 'tcp://10.0.0.1:9620', RUNLET_SERVICE_HOST: '10.0.0.1' })).not.toThrow();
  });

  it.each<[RawSettings, string]>([
    [{ logMaxSize: '10 bananas' }, '--log-max-size (RUNLET_LOG_MAX_SIZE, logMaxSize): must be a size such as 10Mi'],
    [{ criu: '/usr/bin/criu-4' }, '--criu (RUNLET_CRIU, criu): must be the path of a program named criu'],
    [{ logKeep: '3 days' }, '--log-keep (RUNLET_LOG_KEEP, logKeep): must be a time such as 24h'],
    [{ root: 'var/lib' }, '--root (RUNLET_ROOT, root): must be an absolute path'],
    [{ address: `/run/${'x'.repeat(120)}` }, 'address): must have at most 107 bytes'],
    [{ root: '/' }, '--root (RUNLET_ROOT, root): must not be the root of the file system'],
    [{ state: '/var/lib/runlet' }, '--state (RUNLET_STATE, state): must be another folder than --root'],
    [{ logMaxFiles: '1' }, 'logMaxFiles): must be a whole number from 2 to 1000, not "1"'],
    [{ logLevel: 'loud' }, 'must be one of trace, debug, info, warn, error, silent, not "loud"'],
    [{ kubernetes: 'perhaps' }, '--kubernetes (RUNLET_KUBERNETES, kubernetes): must be true or false'],
    [{ kubernetes: true, manifests: '/m' }, '--manifests (RUNLET_MANIFESTS, manifests): must not stand together'],
    [{ kubeconfig: '/k', manifests: '/m' }, 'must not stand together with --kubeconfig'],
    [{ policy: '/p' }, '--policy (RUNLET_POLICY, policy): narrows what a cluster may ask for'],
    [{ rootfsAllow: ['/a', 'b'] }, 'rootfsAllow): item 2 must be an absolute path'],
    [{ cgroupParent: 'runlet' }, 'cgroupParent): must be a path below the root of the cgroups'],
    [
      { cgroupParent: '/runlet/tasks' },
      'cgroupParent): must not hold the name tasks: the kernel has a file of that name',
    ],
    [{ cgroupParent: '/memory.high/runlet' }, 'cgroupParent): must not hold the name memory.high'],
    [{ cgroupDriver: 'systemd', cgroupParent: '/runlet' }, 'must be the name of a slice'],
    [{ metricsAddress: '9620' }, 'metricsAddress): must be HOST:PORT'],
    [{ metricsAddress: '0.0.0.0:9620' }, 'metricsTlsCert): is required because --metrics-address is not on loopback'],
    [{ metricsTlsCert: '/c' }, 'metricsTlsKey): is required: certificate and key go together'],
    [{ metricsAuth: 'kubernetes' }, 'metricsAuth): kubernetes needs a cluster'],
    [{ streamAddress: '127.0.0.1:1' }, 'streamAddress): needs a cluster'],
    [{ kubernetes: true, streamAddress: '10.0.0.1:1' }, 'streamAddress): must be on loopback'],
    [{ metricsAuth: 'mtls' }, 'metricsClientCa): is required with --metrics-auth mtls'],
    [{ metricsAllow: ['prometheus'] }, 'metricsAllow): goes with --metrics-auth mtls or jwt'],
    [{ metricsAllow: [''] }, 'metricsAllow'],
  ])('refuses %j by name and rule', (flags, message) => {
    expect(() => load(flags)).toThrow(message);
  });

  it('names every wrong setting at once', () => {
    expect(() => load({ logMaxSize: 'x', logKeep: 'y' })).toThrow(/--log-max-size.*\n--log-keep/);
  });

  it('says what is wrong with the file', () => {
    expect(() => load({}, {}, 'log-max-size: 1Mi')).toThrow('log-max-size is no setting: write logMaxSize');
    expect(() => load({}, {}, 'colour: red')).toThrow('colour is no setting; docs/configuration.md');
    expect(() => load({}, {}, '- a')).toThrow('must be a map of settings');
    expect(() => load({}, {}, 'a: [')).toThrow('is not YAML');
    expect(() => load({}, { RUNLET_CONFIG: '/nonexistent' })).toThrow('--config: there is no /nonexistent');
  });
});
