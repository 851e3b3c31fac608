import manifest from '../package.json' with { type: 'json' };
import { runPlugin } from '#cli/plugin/program.ts';
import { processShell } from '#cli/process-shell.ts';

process.exitCode = await runPlugin(process.argv.slice(2), processShell(manifest.version, process.env));
