import { expect, it } from 'vitest';
import { nodeLeft } from '../../support/leftovers.ts';
import { eventually } from '../../support/node.ts';
import { limitMs, timeout, type Release } from '../../support/release.ts';
import { namespace, type Tickers } from './tickers.ts';

const kinds = 'nodetasks,nodetaskexecs,nodetasksignals,nodetaskcheckpoints';
const definitions = ['nodetasks', 'nodetaskexecs', 'nodetasksignals', 'nodetaskcheckpoints'];

/** The ends of a release: tasks that go on without it, and a node on which nothing is left of any. */
export function keepingSteps(release: () => Release, tickers: () => Tickers): void {
  const kubectl = async (words: readonly string[], input?: string) => await release().cluster.kubectl(words, input);
  const held = async () => {
    const { items = [] } = await release().cluster.get(kinds, '--all-namespaces');
    return items.filter(({ metadata }) => (metadata.finalizers ?? []).length > 0).map(({ metadata }) => metadata.name);
  };
  /** Processes of tasks whose objects were deleted while there was no agent. */
  let deleted: readonly string[] = [];
  const nodeIsGone = async (name: string, where = namespace) => {
    const spec = { nodeName: 'gone', image: release().images.busybox };
    const metadata = { name, namespace: where, finalizers: ['runlet.dev/cleanup'] };
    const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata, spec };
    await kubectl(['create', '-f', '-'], JSON.stringify(object));
  };

  it('lets a namespace go although it has a task of a node that is gone', async () => {
    await kubectl(['create', 'namespace', 'lost']);
    await nodeIsGone('nowhere', 'lost');
    await kubectl(['wait', '-n', 'lost', 'nodetask/nowhere', '--for=condition=Ready=Unknown', `--timeout=${timeout}`]);
    await kubectl(['delete', 'namespace', 'lost', `--timeout=${timeout}`]);
    expect(await held()).not.toContain('nowhere');
  });

  it('leaves tasks running when it is uninstalled with the policy Keep, and holds no object', async () => {
    await nodeIsGone('nowhere');
    await release().uninstall();
    expect(await held()).toEqual([]);
    expect(await tickers().missed('over an uninstall that keeps tasks')).toEqual([]);
    const names = tickers().alive.slice(0, 3);
    const objects = ['nowhere', ...names].map((name) => `nodetask/${name}`);
    await kubectl(['delete', '-n', namespace, `--timeout=${timeout}`, ...objects]);
    deleted = names.map((name) => String(tickers().pidOf(name)));
    tickers().forget(...names);
  });

  it('takes them on when it is installed again, and removes those whose objects are gone', async () => {
    await release().install('--set', 'uninstall.policy=Stop');
    await release().agentReady();
    expect(await tickers().changes()).toEqual([]);
    expect(await tickers().missed('over a new installation')).toEqual([]);
    const free = async () => {
      const names = await held();
      return tickers().alive.filter((name) => !names.includes(name));
    };
    await eventually(free, (found) => found.length === 0, 'every object is held again', limitMs);
    const processes = async () => (await release().cluster.namespaces.run(['ls', '/proc'])).stdout.split('\n');
    const left = async () => (await processes()).filter((name) => deleted.includes(name));
    await eventually(left, (found) => found.length === 0, 'the tasks without an object are gone', limitMs);
  });

  it('leaves nothing on the node when it is uninstalled with the policy Stop, and holds no object', async () => {
    await nodeIsGone('nowhere-else');
    await release().uninstall();
    expect(await held()).toEqual([]);
    expect(await nodeLeft(release().cluster)).toEqual([]);
    const statuses = [...(await tickers().statuses())].filter(([name]) => name.startsWith('ticker-'));
    expect(statuses.filter(([, status]) => status['state'] !== 'Stopped')).toEqual([]);
    await kubectl(['delete', 'namespace', namespace, `--timeout=${timeout}`]);
    await kubectl(['delete', 'crd', `--timeout=${timeout}`, ...definitions.map((name) => `${name}.runlet.dev`)]);
    const look = async () => await nodeLeft(release().cluster);
    expect(await eventually(look, (found) => found.length === 0, 'nothing is left', limitMs)).toEqual([]);
  });
}
