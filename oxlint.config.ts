import { defineConfig } from 'oxlint';

/** Folder of src/ → the folders it may import. Read downwards: what stands lower knows nothing of what stands higher. */
const mayImport = {
  // Parts of the composition root: they wire all that stands below.
  agent: [
    ...['errors', 'async', 'log', 'config', 'oci', 'host', 'cgroup', 'task', 'runtime', 'images', 'logs'],
    ...['kubernetes', 'metrics', 'api'],
  ],
  cli: ['errors', 'log', 'oci', 'config', 'host', 'api'],
  config: ['errors', 'host'],
  api: ['errors', 'async', 'log', 'oci', 'cgroup', 'task', 'images'],
  kubernetes: ['errors', 'async', 'log', 'oci', 'host', 'task', 'images'],
  metrics: ['errors', 'async', 'log', 'host', 'cgroup', 'task'],
  logs: ['errors', 'async', 'log', 'host', 'task', 'runtime', 'api'],
  runtime: ['errors', 'async', 'log', 'oci', 'host', 'cgroup', 'task'],
  images: ['errors', 'async', 'log', 'oci', 'host'],
  task: ['errors', 'async', 'log', 'oci', 'cgroup'],
  cgroup: ['errors', 'host'],
  host: ['errors', 'async', 'log'],
  oci: ['errors'],
  log: ['errors'],
  async: ['errors'],
  errors: [],
} satisfies Record<string, string[]>;

/** Package → the folders that may import it: each package has one door. */
const doors: Record<string, string[]> = {
  'node:child_process': ['host'],
  'node:fs': ['host'],
  'node:fs/promises': ['host'],
  '@grpc/grpc-js': ['api'],
  'prom-client': ['metrics'],
  'node:http': ['metrics'],
  undici: ['kubernetes'],
  pino: ['log'],
  commander: ['cli'],
  'js-yaml': ['config', 'kubernetes'],
};

const folders = Object.keys(mayImport) as (keyof typeof mayImport)[];

function wallAround(folder: keyof typeof mayImport) {
  const allowed: string[] = mayImport[folder];
  return {
    files: [`src/${folder}/**/*.ts`],
    excludeFiles: ['**/*.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: folders
            .filter((other) => other !== folder && !allowed.includes(other))
            .map((other) => ({
              regex: `^(#|(\\.\\./)+)${other}/`,
              message: `${folder}/ may import only ${allowed.join(', ') || 'nothing'}. The table is in oxlint.config.ts.`,
            })),
          paths: Object.entries(doors)
            .filter(([, through]) => !through.includes(folder))
            .map(([name, through]) => ({ name, message: `${name} is used through ${through.join(', ')}/ only.` })),
        },
      ] as ['error', object],
    },
  };
}

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'promise', 'node', 'oxc', 'vitest', 'jsdoc'],
  options: { typeAware: true, reportUnusedDisableDirectives: 'error' },
  categories: { correctness: 'error', suspicious: 'error', perf: 'warn' },
  ignorePatterns: ['src/api/gen/**', 'dist/**'],
  rules: {
    'import/no-cycle': 'error',
    'import/no-default-export': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/switch-exhaustiveness-check': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/explicit-module-boundary-types': 'error',
    'unicorn/filename-case': ['error', { case: 'kebabCase' }],
    'unicorn/prefer-node-protocol': 'error',
    'node/no-process-env': 'error',
    'no-console': 'error',
    // `as` stands only beside the check that earns it (brands, parsed JSON); reviewers look at each.
    'typescript/no-unsafe-type-assertion': 'off',
    // Steps of one task follow each other on purpose; what may overlap is written as Promise.all.
    'no-await-in-loop': 'off',
    // `using _lock = …` holds something for the length of a block.
    'no-underscore-dangle': 'off',
    // Arguments stand in groups of an option and its value.
    'unicorn/no-useless-spread': 'off',
    // tsc's noImplicitReturns knows which switches are exhaustive.
    'typescript/consistent-return': 'off',
    // The second argument says what was expected of what, in a loop.
    'vitest/valid-expect': ['error', { maxArgs: 2 }],
    complexity: ['warn', { max: 12 }],
    'max-lines': ['warn', { max: 300, skipBlankLines: true, skipComments: true }],
    'max-params': ['warn', { max: 4 }],
  },
  overrides: [
    ...folders.map(wallAround),
    { files: ['*.config.ts', 'scripts/tests/reporter.ts'], rules: { 'import/no-default-export': 'off' } },
    // follow-cluster.ts: the address that Kubernetes tells every pod in its environment.
    {
      files: ['src/config/load.ts', 'src/main.ts', 'src/kubectl-runlet.ts', 'src/agent/follow-cluster.ts'],
      rules: { 'node/no-process-env': 'off' },
    },
    {
      files: ['**/*.test.ts', 'test/**', 'bench/**', 'scripts/**'],
      rules: {
        'typescript/no-non-null-assertion': 'off',
        'max-lines': 'off',
        'node/no-process-env': 'off',
        'typescript/unbound-method': 'off',
      },
    },
    { files: ['bench/**', 'scripts/**'], rules: { 'no-console': 'off' } },
  ],
});
