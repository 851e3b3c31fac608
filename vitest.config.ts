import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    restoreMocks: true,
    projects: [
      { extends: true, test: { name: 'unit', include: ['src/**/*.test.ts'] } },
      {
        // Drives real runc, conmon and cgroups: needs root, one file at a time.
        extends: true,
        test: {
          name: 'node',
          include: ['test/node/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 30_000,
        },
      },
      { extends: true, test: { name: 'cluster', include: ['test/cluster/**/*.test.ts'], testTimeout: 60_000 } },
    ],
  },
});
