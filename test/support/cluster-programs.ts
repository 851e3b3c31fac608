import { join } from 'node:path';
import { findServerPrograms, nodeProgram } from './server-programs.ts';

/** The API server's address, which is that of the Service `kubernetes` too: no proxy has to lead there. */
export const serviceAddress = '10.96.0.1';
/** As the examples have it. */
export const nodeName = 'node-a';
export const adminToken = 'token-of-admin';
const etcdUrl = 'http://127.0.0.1:2379';
const etcdPeer = 'http://127.0.0.1:2380';

/** The files of a cluster, by their names in its folder. */
export interface ClusterFiles {
  (name: string): string;
}

/** The command lines of a one-node cluster, which has a network of its own: ports are those that everybody knows. */
export function clusterPrograms(file: ClusterFiles, cgroup: string): Readonly<Record<string, readonly string[]>> {
  const { etcd, apiServer } = findServerPrograms();
  const config = `--kubeconfig=${file('admin.kubeconfig')}`;
  return {
    etcd: [
      ...[etcd, `--data-dir=${file('etcd')}`, '--unsafe-no-fsync'],
      ...[`--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`],
      ...[`--listen-peer-urls=${etcdPeer}`, `--initial-advertise-peer-urls=${etcdPeer}`],
      `--initial-cluster=default=${etcdPeer}`,
    ],
    'kube-apiserver': [
      ...[apiServer, `--etcd-servers=${etcdUrl}`, '--secure-port=443', `--bind-address=${serviceAddress}`],
      ...[`--advertise-address=${serviceAddress}`, '--service-cluster-ip-range=10.96.0.0/24'],
      ...[`--cert-dir=${file('certs')}`, `--token-auth-file=${file('tokens.csv')}`],
      '--service-account-issuer=https://kubernetes.default.svc',
      ...[`--service-account-signing-key-file=${file('sa.key')}`, `--service-account-key-file=${file('sa.pub')}`],
      ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction', '--allow-privileged=true'],
      '--kubelet-preferred-address-types=InternalIP',
    ],
    'kube-controller-manager': [
      ...[nodeProgram('kube-controller-manager'), config, '--leader-elect=false', '--port=0', '--secure-port=0'],
      ...[`--service-account-private-key-file=${file('sa.key')}`, `--root-ca-file=${file('certs/apiserver.crt')}`],
      '--use-service-account-credentials=true',
    ],
    'kube-scheduler': [nodeProgram('kube-scheduler'), config, '--leader-elect=false', '--port=0', '--secure-port=0'],
    containerd: ['containerd', '--config', file('containerd.toml')],
    kubelet: [
      ...[nodeProgram('kubelet'), config, `--config=${file('kubelet.yaml')}`, `--root-dir=${file('kubelet')}`],
      ...['--container-runtime=remote', `--container-runtime-endpoint=unix://${file('containerd.sock')}`],
      ...[`--hostname-override=${nodeName}`, `--node-ip=${serviceAddress}`, `--cert-dir=${file('kubelet-certs')}`],
      `--cgroup-root=${cgroup}`,
    ],
  };
}

/** The files that those programs read, by name, beside certificates. */
export function clusterConfigFiles(file: ClusterFiles): Readonly<Record<string, string>> {
  return {
    'tokens.csv': `${adminToken},admin,admin,"system:masters"\n`,
    'admin.kubeconfig': JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'c',
          cluster: { server: `https://${serviceAddress}`, 'certificate-authority': file('certs/apiserver.crt') },
        },
      ],
      users: [{ name: 'u', user: { token: adminToken } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
    // Raising scores of processes needs a right that a machine may withhold.
    'containerd.toml': `version = 2
root = "${file('containerd')}"
state = "${file('containerd-state')}"
[grpc]
  address = "${file('containerd.sock')}"
[ttrpc]
  address = "${file('containerd.sock.ttrpc')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${file('cni')}"
`,
    'cni/10-test.conflist': JSON.stringify({
      cniVersion: '0.4.0',
      name: 'test',
      plugins: [
        {
          type: 'ptp',
          ipMasq: false,
          ipam: {
            ...{ type: 'host-local', subnet: '10.244.0.0/24', dataDir: file('cni-data') },
            routes: [{ dst: '0.0.0.0/0' }],
          },
        },
      ],
    }),
    'kubelet.yaml': JSON.stringify(kubeletConfiguration),
  };
}

/** How a kubelet runs on a machine that is not its own: it makes no room by ending anything, and asks nobody who may ask it. */
export const kubeletConfiguration = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: 'AlwaysAllow' },
  cgroupDriver: 'cgroupfs',
  failSwapOn: false,
  evictionHard: { 'nodefs.available': '1%', 'imagefs.available': '1%', 'memory.available': '10Mi' },
  imageGCHighThresholdPercent: 100,
};

/** The image of every pod's sandbox, made here. */
export const pauseImage = 'localhost/pause:test';

/** Makes the path of a file in the cluster's folder. */
export function filesIn(folder: string): ClusterFiles {
  return (name) => join(folder, name);
}
