/** A vitest project and what must be on the machine before it runs. */
export interface TestProject {
  readonly name: string;
  /** Where its test files are. */
  readonly folders: readonly string[];
  /** Commands that install its peers; each is quick when nothing is missing. A test that lacks one cannot run. */
  readonly peers: readonly (readonly string[])[];
  /** Past this the run is ended and counts as failed. */
  readonly limitMinutes: number;
}

const packages = (...groups: string[]) => ['sh', 'scripts/packages.sh', ...groups];
const testServers = (...parts: string[]) => ['bash', 'scripts/test-servers.sh', ...parts];

/** In the order in which they run: the quick ones first. */
export const projects: readonly TestProject[] = [
  { name: 'unit', folders: ['src', 'scripts', 'test/unit'], peers: [], limitMinutes: 10 },
  {
    name: 'node',
    folders: ['test/node', 'test/contract', 'test/vm'],
    peers: [packages('node', 'vm'), ['sh', 'scripts/install-criu.sh']],
    limitMinutes: 25,
  },
  {
    name: 'cluster',
    folders: ['test/cluster'],
    peers: [packages('cluster'), testServers('clients', 'servers')],
    limitMinutes: 25,
  },
  { name: 'chart', folders: ['test/chart'], peers: [packages('chart'), testServers('clients')], limitMinutes: 10 },
  {
    name: 'e2e',
    folders: ['test/e2e'],
    peers: [packages('e2e'), testServers('clients', 'servers', 'node')],
    limitMinutes: 30,
  },
];
