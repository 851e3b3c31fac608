import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readdirSync, readFileSync } from 'node:fs';
import type { KubeObject } from '../../support/cluster.ts';
import { eventually } from '../../support/node.ts';
import { limitMs, timeout, type Release } from '../../support/release.ts';
import { tasksLeft } from '../../support/leftovers.ts';

/** The tasks of the examples. */
export const examples = join(import.meta.dirname, '../../../examples/kubernetes');
const demo = ['-n', 'runlet-demo'];

/** The examples as they are, and every verb by kubectl on what they made. */
export function verbSteps(release: () => Release): void {
  const kubectl = async (...words: readonly string[]) => await release().cluster.kubectl(words);
  const status = async (what: string) => (await release().cluster.get(what, ...demo)).status ?? {};
  const waitFor = async (what: string, condition: string) =>
    void (await kubectl('wait', ...demo, what, `--for=condition=${condition}`, `--timeout=${timeout}`));
  const patch = async (name: string, spec: object) => {
    await kubectl('patch', ...demo, `nodetask/${name}`, '--type=merge', '-p', JSON.stringify({ spec }));
    await waitFor(`nodetask/${name}`, 'Ready');
    return await status(`nodetask/${name}`);
  };
  const apply = async (name: string) => await kubectl('apply', '-f', join(examples, 'requests', `${name}.yaml`));
  const lines = (name: string) => {
    const folder = join(release().cluster.own('/var/log/runlet'), 'k8s.runlet-demo', name);
    const last = readdirSync(folder)
      .toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
      .at(-1);
    return readFileSync(join(folder, last ?? ''), 'utf8')
      .trim()
      .split('\n');
  };
  const moreLines = async (name: string, good: (line: string) => boolean) => {
    const { length } = lines(name);
    return await eventually(
      () => lines(name).slice(length).find(good),
      (line) => line !== undefined,
      `a line of ${name}`,
      limitMs,
    );
  };

  it('runs the examples as they are', async () => {
    await kubectl('apply', '-f', examples);
    for (const name of ['ticker', 'worker', 'paused']) await waitFor(`nodetask/${name}`, 'Ready');
    await waitFor('nodetask/batch', 'Succeeded');
    expect(await status('nodetask/batch')).toMatchObject({ state: 'Stopped', exitStatus: 0, restartCount: 1 });
    expect(await status('nodetask/paused')).toMatchObject({ state: 'Paused' });
    expect(await moreLines('ticker', (line) => line.includes('tick'))).toContain(`on ${release().cluster.nodeName}`);
  });

  it('executes, signals and checkpoints as the examples ask, once each', async () => {
    const { length } = lines('ticker');
    await apply('exec');
    await apply('signal');
    await waitFor('nodetasksignal/begin-again', 'Finished');
    await moreLines('ticker', (line) => / tick [3-9] on/.test(line));
    await apply('checkpoint');
    const finished = ['nodetaskexec/disk-use', 'nodetasksignal/begin-again', 'nodetaskcheckpoint/ticker-now'];
    for (const request of finished) await waitFor(request, 'Finished');
    const exec = await status('nodetaskexec/disk-use');
    expect(exec).toMatchObject({ state: 'Succeeded', exitStatus: 0 });
    expect(exec['stdout']).toContain('/scratch');
    expect(await status('nodetasksignal/begin-again')).toMatchObject({ state: 'Succeeded' });
    const heard = () =>
      lines('ticker')
        .slice(length)
        .filter((line) => line.includes('told to begin again'));
    expect(await eventually(heard, (found) => found.length > 0, 'the signal', limitMs)).toHaveLength(1);
    expect(await status('nodetaskcheckpoint/ticker-now')).toMatchObject({ state: 'Succeeded' });
  });

  it('restores a second task from the checkpoint, which goes on from there', async () => {
    await waitFor('nodetask/ticker-again', 'Ready');
    const first = await eventually(
      () => lines('ticker-again').find((line) => line.includes('tick')),
      (line) => line !== undefined,
      'a line of the restored task',
      limitMs,
    );
    expect(first).not.toMatch(/ tick [12] on/);
    await kubectl('delete', ...demo, 'nodetask/ticker-again', 'nodetaskcheckpoint/ticker-now', `--timeout=${timeout}`);
  });

  it('pauses, resizes and resumes by patches that can be waited for', async () => {
    const { pid } = await status('nodetask/ticker');
    expect(await patch('ticker', { runState: 'Paused' })).toMatchObject({ state: 'Paused', pid });
    const { length } = lines('ticker');
    const limits = { cpu: '200m', memory: '24Mi', pids: '12' };
    expect(await patch('ticker', { resources: { limits } })).toMatchObject({
      state: 'Paused',
      pid,
      resources: { limits },
    });
    expect(lines('ticker')).toHaveLength(length);
    expect(await patch('ticker', { runState: 'Running' })).toMatchObject({ state: 'Running', pid });
    await moreLines('ticker', (line) => line.includes('tick'));
  });

  it('restarts in place, stops, starts again and deletes', async () => {
    const before = await status('nodetask/ticker');
    await kubectl('annotate', ...demo, 'nodetask/ticker', 'runlet.dev/restartedAt=now');
    const restarted = await eventually(
      async () => await status('nodetask/ticker'),
      ({ restartCount, state }) => restartCount === 1 && state === 'Running',
      'the restart',
      limitMs,
    );
    expect(restarted).toMatchObject({ restartedAt: 'now' });
    expect(restarted['pid']).not.toBe(before['pid']);
    expect(await patch('ticker', { runState: 'Stopped' })).toMatchObject({ state: 'Stopped', exitStatus: 0 });
    expect(await patch('ticker', { runState: 'Running' })).toMatchObject({ state: 'Running', restartCount: 2 });
    await kubectl('delete', 'namespace', 'runlet-demo', `--timeout=${timeout}`);
    const gone: readonly KubeObject[] = (await release().cluster.get('nodetasks', '--all-namespaces')).items ?? [];
    expect(gone).toEqual([]);
    expect(await tasksLeft(release().cluster)).toEqual([]);
  });
}
