import { expect, it } from 'vitest';
import { nodeLeft } from '../../support/leftovers.ts';
import { timeout, type Release } from '../../support/release.ts';
import { examples } from './verbs.ts';

const kinds = ['nodetasks', 'nodetaskexecs', 'nodetasksignals', 'nodetaskcheckpoints'];
const namespace = 'runlet-demo';

/** The end of a release with the policy Stop, while tasks run, are frozen, have finished, or are on a node that is gone. */
export function uninstallSteps(release: () => Release): void {
  const kubectl = async (words: readonly string[], input?: string) => await release().cluster.kubectl(words, input);

  it('leaves nothing on the node when it is uninstalled with the policy Stop, and holds no object', async () => {
    await kubectl(['apply', '-f', examples]);
    const some = ['ticker', 'worker', 'paused'].map((name) => `nodetask/${name}`);
    await kubectl(['wait', '-n', namespace, ...some, '--for=condition=Ready', `--timeout=${timeout}`]);
    await kubectl(['create', '-f', '-'], JSON.stringify(onNodeThatIsGone(release().images.busybox)));
    await release().uninstall();
    expect(await nodeLeft(release().cluster)).toEqual([]);
    const { items = [] } = await release().cluster.get(kinds.join(','), '--all-namespaces');
    expect(items.flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
    const told = items.map(({ metadata, status }) => [metadata.name, status?.['state']]);
    expect(told).toEqual(expect.arrayContaining(['ticker', 'worker', 'paused'].map((name) => [name, 'Stopped'])));
    await kubectl(['delete', 'namespace', namespace, `--timeout=${timeout}`]);
    await kubectl(['delete', 'crd', `--timeout=${timeout}`, ...kinds.map((name) => `${name}.runlet.dev`)]);
    expect(await nodeLeft(release().cluster)).toEqual([]);
  });
}

function onNodeThatIsGone(image: string): object {
  const metadata = { name: 'nowhere', namespace, finalizers: ['runlet.dev/cleanup'] };
  return { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata, spec: { nodeName: 'gone', image } };
}
