import manifest from '../package.json' with { type: 'json' };
import { processShell } from '#cli/process-shell.ts';
import { runProgram, type OwnCommand } from '#cli/program.ts';

/** Commands with arguments of their own. */
const own: readonly OwnCommand[] = [
  { name: 'agent', summary: 'run the agent of this node', load: () => import('#cli/agent.ts') },
  {
    name: 'controller',
    summary: 'speak for agents of nodes that are lost; one for a cluster',
    load: () => import('#cli/controller.ts'),
  },
];

process.exitCode = await runProgram(process.argv.slice(2), processShell(manifest.version, process.env), own);
