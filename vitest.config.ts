import { defineConfig } from 'vitest/config';

const second = 1000;
const minute = 60 * second;

export default defineConfig({
  test: {
    restoreMocks: true,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/unit/**/*.test.ts'],
          testTimeout: 20 * second,
        },
      },
      {
        // Drives real runc, conmon and cgroups (and, for cgroup v2, a virtual machine): needs root, one file at a time.
        extends: true,
        test: {
          name: 'node',
          include: ['test/node/**/*.test.ts', 'test/contract/**/*.test.ts', 'test/vm/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          retry: 2,
          testTimeout: 2 * minute,
          hookTimeout: 2 * minute,
        },
      },
      {
        // Real etcd and kube-apiserver.
        extends: true,
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          retry: 2,
          testTimeout: 2 * minute,
          hookTimeout: 2 * minute,
        },
      },
      {
        // Renders the chart with helm; no server.
        extends: true,
        test: {
          name: 'chart',
          include: ['test/chart/**/*.test.ts'],
          testTimeout: minute,
          hookTimeout: minute,
        },
      },
      {
        // A whole node: control plane, containerd, kubelet, the image and the chart.
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          retry: 1,
          testTimeout: 20 * minute,
          hookTimeout: 20 * minute,
        },
      },
    ],
  },
});
