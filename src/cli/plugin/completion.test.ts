import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testShell } from '../../../test/support/cli.ts';
import { runPlugin, verbs } from './program.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  program(
    'kubectl',
    `#!/bin/sh
case "$*" in
  '--namespace team-a get nodetasks.runlet.dev -o name') echo nodetask.runlet.dev/inner ;;
  'get nodetasks.runlet.dev -o name') echo nodetask.runlet.dev/web; echo nodetask.runlet.dev/worker ;;
  'get namespaces -o name') echo namespace/default; echo namespace/team-a ;;
  'config get-contexts -o name') echo prod; echo test ;;
  *) echo no >&2; exit 1 ;;
esac
`,
  );
  program('kubectl-runlet', `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`);
  for (const target of ['bash', 'zsh', 'kubectl'])
    writeFileSync(join(folder, `${target}.script`), (await run('completion', target)).out);
  program('kubectl_complete-runlet', readFileSync(join(folder, 'kubectl.script'), 'utf8'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const main = join(import.meta.dirname, '../../kubectl-runlet.ts');

function program(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), 0o755);
}

async function run(...argv: string[]) {
  const shell = { ...testShell(), env: { PATH: `${folder}:${process.env['PATH']}` } };
  const status = await runPlugin(argv, shell);
  return { status, out: shell.out(), err: shell.err() };
}

/** What is offered in place of the last word of `kubectl runlet …`. */
async function offered(...words: string[]): Promise<readonly string[]> {
  const { out, status } = await run('__complete', ...words);
  expect(status).toBe(0);
  return out.trimEnd().split('\n');
}

const env = () => ({ PATH: `${folder}:${process.env['PATH']}`, HOME: folder });

/** What bash itself offers at the end of a line, by the function that it calls for the first word. */
function inBash(line: string, before = ''): readonly string[] {
  const words = line.split(' ').map((word) => `'${word}'`);
  const script = `
    ${before}
    source ${folder}/bash.script
    source ${folder}/bash.script
    COMP_WORDS=(${words.join(' ')}) COMP_CWORD=${words.length - 1}
    [[ $(complete -p ${words[0]}) =~ -F\\ ([^\\ ]+) ]] && "\${BASH_REMATCH[1]}" ${words[0]} '' ''
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { env: env(), encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter(Boolean);
}

describe('what the plugin offers', () => {
  it('are verbs first, then the NodeTasks of the namespace', async () => {
    expect(await offered('re')).toEqual(['resume', 'restart', ':4']);
    expect(await offered('')).toEqual([...verbs.map(({ name }) => name), 'completion', 'help', ':4']);
    expect(await offered('pause', 'w')).toEqual(['web', 'worker', ':4']);
    expect(await offered('pause', '-n', 'team-a', '')).toEqual(['inner', ':4']);
    expect(await offered('pause', '--namespace=team-a', '')).toEqual(['inner', ':4']);
    expect(await offered('pause', 'web', '')).toEqual([':4']);
    expect(await offered('completion', '')).toEqual(['bash', 'zsh', 'kubectl', ':4']);
  });

  it('are flags, and the values that they may have', async () => {
    expect(await offered('kill', '--s')).toEqual(['--signal', '--server', ':4']);
    expect(await offered('kill', '-s', 'US')).toEqual(['USR1', 'USR2', ':4']);
    expect(await offered('kill', '-n', 't')).toEqual(['team-a', ':4']);
    expect(await offered('top', '--context', '')).toEqual(['prod', 'test', ':4']);
    expect(await offered('top', '--kubeconfig', '')).toEqual([':0']);
  });

  it('is nothing of ours after two hyphens, and nothing where kubectl does not answer', async () => {
    expect(await offered('exec', 'web', '--', 'l')).toEqual([':0']);
    expect(await offered('pause', '--context', 'gone', '')).toEqual([':4']);
  });
});

describe('a shell', () => {
  it('completes both ways of calling the plugin, in bash itself', () => {
    expect(inBash('kubectl-runlet res')).toEqual(['resume', 'restart']);
    expect(inBash('kubectl runlet pause wo')).toEqual(['worker']);
    expect(inBash('kubectl get po')).toEqual([]);
  });

  it('leaves the rest to kubectl’s own completion', () => {
    const own = '__start_kubectl() { COMPREPLY=(pods); }; complete -o default -F __start_kubectl kubectl';
    expect(inBash('kubectl get po', own)).toEqual(['pods']);
    expect(inBash('kubectl runlet pause wo', own)).toEqual(['worker']);
  });

  it('gets a script that zsh reads as one of its own', () => {
    const script = readFileSync(join(folder, 'zsh.script'), 'utf8');
    expect(script.startsWith('#compdef kubectl-runlet\nautoload -Uz bashcompinit && bashcompinit\n')).toBe(true);
  });

  it('may ask kubectl, which asks a program of its own name', () => {
    const asked = spawnSync(join(folder, 'kubectl_complete-runlet'), ['pause', 'we'], { env: env(), encoding: 'utf8' });
    expect(asked.stdout).toBe('web\n:4\n');
  });

  it('that is unknown is refused', async () => {
    expect(await run('completion', 'tcsh')).toMatchObject({ status: 1, out: '' });
  });
});
