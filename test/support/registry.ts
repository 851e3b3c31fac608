import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './node.ts';

/** A real registry on a free port of loopback. */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** How often it was asked until now for something (GET) whose path holds a text. */
  requests(text: string): Promise<number>;
}

/** The name and password that a registry with `auth` asks for. */
export const registryUser = { name: 'puller', password: 'open-sesame' } as const;
const passwordLine = `${registryUser.name}:$2y$05$abcdefghijklmnopqrstuutXu9KzOt.1yBoZUeFWoT/914/JfszCO\n`;

/** Starts one with its data in a folder. A registry started again on the same folder has the same images. */
export async function startRegistry(folder: string, options: { readonly auth?: boolean } = {}): Promise<TestRegistry> {
  mkdirSync(folder, { recursive: true });
  const config = {
    version: 0.1,
    log: { level: 'info', formatter: 'json' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: '127.0.0.1:0', secret: 'of a test' },
    ...(options.auth ? { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } } : {}),
  };
  writeFileSync(join(folder, 'htpasswd'), passwordLine);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', join(folder, 'config.json')], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  let log = '';
  const host = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      log += chunk.toString();
      const address = /listening on (127\.0\.0\.1:\d+)/.exec(log)?.[1];
      if (address) resolve(address);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`the registry ended: ${log}`)));
  });
  let marks = 0;
  /** Its log comes after its answers: waits until a question of our own is in it. */
  const told = async () => {
    marks += 1;
    const mark = `mark=${marks}.`;
    await (await fetch(`http://${host}/v2/?${mark}`)).text();
    await eventually(
      () => log.includes(mark),
      (there) => there,
      'the registry has logged a request',
    );
  };
  return {
    host,
    requests: async (text) => {
      await told();
      return log.split('\n').filter((line) => isAnswer(line) && line.includes(text)).length;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function isAnswer(line: string): boolean {
  return line.includes('"http.request.method":"GET"') && line.includes('"msg":"response completed"');
}
