/** What every cgroup of v1 has without a controller's prefix. */
const plain = new Set(['tasks', 'notify_on_release', 'release_agent']);

/** The controllers of v1 and v2; the files of each begin with its name and a dot. */
const controllers = [
  ...[
    'cgroup',
    'cpu',
    'cpuacct',
    'cpuset',
    'memory',
    'io',
    'blkio',
    'pids',
    'hugetlb',
    'freezer',
    'devices',
    'net_cls',
  ],
  ...['net_prio', 'perf_event', 'rdma', 'misc', 'dmem', 'irq', 'debug'],
];

/**
 * Whether the kernel has, or may have, a file of this name in a cgroup: no cgroup below it can be called so. Kernel:
 * cgroup-v1/cgroups.rst, cgroup-v2.rst.
 */
export function isCgroupFileName(name: string): boolean {
  const [prefix = '', ...rest] = name.split('.');
  return plain.has(name) || (rest.length > 0 && controllers.includes(prefix));
}
