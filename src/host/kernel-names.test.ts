import { describe, expect, it } from 'vitest';
import { isCgroupFileName } from './kernel-names.ts';

describe('names that no cgroup can have', () => {
  it.each(['tasks', 'notify_on_release', 'release_agent', 'cgroup.procs', 'memory.stat', 'cpu.max', 'hugetlb.2MB.max'])(
    '%s is a file of the kernel’s',
    (name) => {
      expect(isCgroupFileName(name)).toBe(true);
    },
  );

  it.each(['runlet', 'tasks_', 'my-tasks', 'memory', 'cpuset', 'k8s.team-a', 'runlet.slice', 'web.memory'])(
    '%s is free',
    (name) => {
      expect(isCgroupFileName(name)).toBe(false);
    },
  );
});
