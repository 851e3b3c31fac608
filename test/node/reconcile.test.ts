import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inNamespace, unary } from '#api/client.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { conditionOf, Manifests } from '../support/manifests.ts';
import { eventually } from '../support/node.ts';

const ticking = 'while :; do echo tick; sleep 0.1; done';

let node: AgentNode;
let manifests: Manifests;
beforeEach(() => {
  node = makeAgentNode();
  manifests = new Manifests(node);
});
afterEach(async () => {
  await node.clean();
});

/** The lines of one start of an object's task. */
function logLines(name: string, attempt = 0): readonly string[] {
  try {
    const text = readFileSync(join(node.logs, 'k8s.default', name, `${attempt}.log`), 'utf8');
    return text.split('\n').slice(0, -1);
  } catch {
    return [];
  }
}

/** A file of the task's cgroup, by its name on v1 and v2. */
function cgroupValue(name: string, controller: string, files: { readonly v1: string; readonly v2: string }): string {
  const group = new CgroupGroup(node.hierarchy, `${node.cgroupParent}/k8s.default/${name}`);
  const folder = group.folder(controller);
  if (folder === undefined) throw new Error(`no cgroup of ${controller}`);
  return readFileSync(join(folder, node.hierarchy.version === 1 ? files.v1 : files.v2), 'utf8').trim();
}

const memoryLimit = { v1: 'memory.limit_in_bytes', v2: 'memory.max' };

function limited(memory: string): Readonly<Record<string, unknown>> {
  return { resources: { limits: { memory } } };
}

/** Every object of the agent's log that says this. */
function said(agent: RunningAgent, facts: Readonly<Record<string, unknown>>): readonly Record<string, unknown>[] {
  return agent.logLines().filter((line) => Object.entries(facts).every(([key, value]) => line[key] === value));
}

describe('an agent with a folder of manifests', { timeout: 180_000 }, () => {
  it('follows an object from its file to its end: made, frozen, resized, replaced, removed', async () => {
    await manifests.start();
    manifests.put('web', ticking);
    const { pid, containerID } = await manifests.untilReady('web', 'True/Running');
    expect(containerID).toBe('runlet://k8s.default/web');
    await eventually(
      () => logLines('web').length,
      (count) => count > 2,
      'it ticks',
    );

    manifests.put('web', ticking, { runState: 'Paused' });
    await manifests.untilReady('web', 'True/Paused');
    const frozenAt = logLines('web').length;
    manifests.put('web', ticking, { runState: 'Paused', resources: { limits: { memory: '32Mi', pids: '7' } } });
    const resized = await manifests.until(
      'web',
      ({ resources }) => resources?.limits?.['memory'] === '32Mi',
      'resized',
    );
    expect(resized).toMatchObject({ state: 'Paused', pid, resources: { limits: { pids: '7' } } });
    expect(cgroupValue('web', 'memory', memoryLimit)).toBe(String(32 * 1024 * 1024));
    expect(logLines('web')).toHaveLength(frozenAt);

    manifests.put('web', ticking, { resources: { limits: { pids: '7' } } });
    const thawed = await manifests.untilReady('web', 'True/Running');
    expect(thawed).toMatchObject({ pid, restartCount: 0, observedGeneration: 4 });
    await eventually(
      () => logLines('web').length,
      (count) => count > frozenAt,
      'it ticks on',
    );
    expect(thawed.resources?.limits).not.toHaveProperty('memory');

    manifests.put('web', `echo another; ${ticking}`);
    const replaced = await manifests.until(
      'web',
      ({ restartCount, state }) => restartCount === 1 && state === 'Running',
      'replaced',
    );
    expect(replaced.pid).not.toBe(pid);
    expect(replaced.lastTermination).toMatchObject({ exitStatus: 137, reason: 'Stopped' });
    await eventually(
      () => logLines('web', 1)[0],
      (line) => line?.endsWith('another') === true,
      'the new one runs',
    );

    manifests.remove('web.yaml');
    await manifests.untilGone('web');
    await eventually(
      () => node.leftovers(),
      (left) => left.every((one) => !one.includes('/web')),
      'nothing is left',
    );
    await eventually(
      () => readdirSync(join(node.root, 'records', 'nodetasks')),
      (records) => records.length === 0,
      'nothing is remembered',
    );
  });

  it('makes a created task that only starts when it is asked to', async () => {
    await manifests.start();
    manifests.put('web', ticking, { runState: 'Created' });
    const { pid } = await manifests.untilReady('web', 'True/Created');
    expect(pid).toBeGreaterThan(1);
    expect(logLines('web')).toEqual([]);
    manifests.put('web', ticking);
    expect(await manifests.untilReady('web', 'True/Running')).toMatchObject({ pid, restartCount: 0 });
  });

  it('stops gracefully: what heeds the signal ends itself, what does not is killed after the grace period', async () => {
    await manifests.start();
    const polite = "trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    const deaf = "trap '' TERM; while :; do sleep 0.1; done";
    const spec = { stopSignal: 'TERM', terminationGracePeriodSeconds: 1 };
    manifests.put('polite', polite, { ...spec, terminationGracePeriodSeconds: 60 });
    manifests.put('deaf', deaf, spec);
    await eventually(
      () => logLines('polite').length,
      (count) => count > 0,
      'it knows what to do when it is told to end',
    );
    manifests.put('polite', polite, { ...spec, runState: 'Paused', terminationGracePeriodSeconds: 60 });
    await manifests.untilReady('polite', 'True/Paused');
    await manifests.untilReady('deaf', 'True/Running');
    manifests.put('polite', polite, { ...spec, runState: 'Stopped', terminationGracePeriodSeconds: 60 });
    manifests.put('deaf', deaf, { ...spec, runState: 'Stopped' });
    expect(await manifests.untilReady('polite', 'True/Stopped')).toMatchObject({ exitStatus: 3, state: 'Stopped' });
    expect(await manifests.untilReady('deaf', 'True/Stopped')).toMatchObject({ exitStatus: 137 });
    expect(logLines('polite').at(-1)).toContain('told');
    // It begins again when it is to run again.
    manifests.put('polite', polite, spec);
    expect(await manifests.untilReady('polite', 'True/Running')).toMatchObject({ restartCount: 1 });
  });

  it('backs off from what fails, over an agent that is killed, with its volumes kept', async () => {
    const first = await manifests.start();
    const volumes = { volumes: [{ name: 'v', emptyDir: {} }], volumeMounts: [{ name: 'v', mountPath: '/tmp' }] };
    manifests.put('crash', 'echo run >> /tmp/runs; wc -l < /tmp/runs; exit 7', volumes);
    await manifests.until('crash', ({ restartCount }) => restartCount === 1, 'started again at once');
    const waiting = await manifests.untilReady('crash', 'False/BackOff');
    expect(waiting).toMatchObject({
      state: 'Pending',
      restartCount: 1,
      lastTermination: { exitStatus: 7, reason: 'Error' },
    });
    await first.stop('SIGKILL');
    await manifests.start();
    const afterwards = await manifests.untilReady('crash', 'False/BackOff');
    expect(afterwards.restartCount).toBe(1);
    await manifests.until('crash', ({ restartCount }) => restartCount === 2, 'started a third time');
    await eventually(
      () => logLines('crash', 2).at(-1),
      (line) => line?.endsWith(' 3') === true,
      'the third run',
    );
    expect([0, 1].map((attempt) => logLines('crash', attempt).at(-1)?.at(-1))).toEqual(['1', '2']);
  });

  it('finds its tasks again after it was killed, and removes those whose file has gone meanwhile', async () => {
    const first = await manifests.start();
    for (const name of ['stays', 'goes']) manifests.put(name, ticking);
    manifests.put('done', 'echo once', { restartPolicy: 'Never' });
    const before = await manifests.untilReady('stays', 'True/Running');
    await manifests.untilReady('goes', 'True/Running');
    const done = await manifests.untilReady('done', 'True/Completed');
    const uid = (await manifests.inspect('stays'))?.metadata.uid;
    await first.stop('SIGKILL');
    manifests.remove('goes.yaml');
    const second = await manifests.start();
    await manifests.untilGone('goes');
    expect(await manifests.untilReady('stays', 'True/Running')).toMatchObject({ pid: before.pid, restartCount: 0 });
    expect((await manifests.inspect('stays'))?.metadata.uid).toBe(uid);
    // A finished run is never run again.
    const { state, exitStatus, finishedAt, restartCount, lastTermination } = done;
    expect(await manifests.untilReady('done', 'True/Completed')).toMatchObject({
      ...{ state, exitStatus, finishedAt, restartCount, lastTermination },
    });
    expect(readdirSync(join(node.logs, 'k8s.default', 'done'))).toEqual(['0.log']);
    expect(said(second, { reason: 'Started' })).toEqual([]);
  });

  it('makes every object once however often it is killed while it does so', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) manifests.put(name, `echo started; ${ticking}`);
    for (const waitMs of [150, 300, 500]) {
      const agent = await manifests.start();
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      await agent.stop('SIGKILL');
    }
    const last = await manifests.start();
    for (const name of names) {
      expect(await manifests.untilReady(name, 'True/Running')).toMatchObject({ restartCount: 0 });
      const starts = await eventually(
        () => logLines(name).filter((line) => line.endsWith(' started')),
        (lines) => lines.length > 0,
        `${name} has said something`,
      );
      expect(starts).toHaveLength(1);
    }
    for (const name of names) manifests.remove(`${name}.yaml`);
    for (const name of names) await manifests.untilGone(name);
    expect(await last.stop()).toBe(0);
    expect(node.leftovers()).toEqual([]);
  });

  it('keeps the last valid objects of a file that turns wrong, over agents too, and says what is wrong', async () => {
    const first = await manifests.start();
    manifests.put('web', ticking);
    const { pid } = await manifests.untilReady('web', 'True/Running');
    manifests.put('web', ticking, { runState: 'Frozen' });
    const wrong = await manifests.untilReady('web', 'False/InvalidSpec');
    expect(wrong).toMatchObject({ pid, state: 'Running' });
    expect(conditionOf(wrong, 'Stalled')).toBe('True/InvalidSpec');
    const [line] = said(first, { file: 'web.yaml', level: 50 });
    expect(String(line?.['problems'])).toContain('spec.runState: must be one of Created, Running, Paused, Stopped');
    await first.stop('SIGKILL');
    await manifests.start();
    expect(await manifests.untilReady('web', 'False/InvalidSpec')).toMatchObject({ pid, state: 'Running' });
    manifests.put('web', ticking, { runState: 'Paused' });
    expect(await manifests.untilReady('web', 'True/Paused')).toMatchObject({ pid });
  });

  it('takes many objects of one file, and of two with one name that of the first file', async () => {
    const agent = await manifests.start();
    manifests.write('b.yaml', ['one', 'two'].map((name) => manifests.text(name, ticking)).join('\n---\n'));
    await manifests.untilReady('one', 'True/Running');
    const { pid } = await manifests.untilReady('two', 'True/Running');
    manifests.write('a.json', manifests.text('two', 'echo from a; sleep 1000'));
    const taken = await manifests.until(
      'two',
      ({ restartCount, state }) => restartCount === 1 && state === 'Running',
      'taken over',
    );
    expect(taken.pid).not.toBe(pid);
    await eventually(
      () => said(agent, { msg: 'an object does not count' }).map((line) => line['reason']),
      (reasons) => reasons.includes('b.yaml: NodeTask default/two is in a.json already, which comes first'),
      'the other is reported',
    );
  });

  it('removes a finished object when its time is over until its file says something else', async () => {
    await manifests.start();
    const spec = { restartPolicy: 'Never', ttlSecondsAfterFinished: 5 };
    manifests.put('job', 'exit 0', spec);
    await manifests.untilReady('job', 'True/Completed');
    const first = (await manifests.inspect('job'))?.metadata.uid;
    await manifests.untilGone('job');
    expect(readdirSync(manifests.folder)).toEqual(['job.yaml']);
    manifests.put('job', 'exit 4', { restartPolicy: 'Never' });
    expect(await manifests.untilReady('job', 'False/Failed')).toMatchObject({ exitStatus: 4, restartCount: 0 });
    expect((await manifests.inspect('job'))?.metadata.uid).not.toBe(first);
  });

  it('says how a task ended that wanted too much memory', async () => {
    await manifests.start();
    manifests.put('hog', 'head -c 64m /dev/zero | tail', {
      restartPolicy: 'Never',
      resources: { limits: { memory: '16Mi' } },
    });
    const status = await manifests.until('hog', ({ state }) => state === 'Stopped', 'it ends');
    expect(status.lastTermination?.oomKills).toBeGreaterThan(0);
    expect(status.lastTermination?.peakMemoryBytes).toBeGreaterThan(8 * 1024 * 1024);
    expect(status.lastTermination?.peakMemoryBytes).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(conditionOf(status, 'Succeeded')).toMatch(/^False\/(OOMKilled|Error)$/);
  });

  it('does not take memory away that is in use, and does once it is free', async () => {
    await manifests.start();
    const usage = () => Number(cgroupValue('web', 'memory', { v1: 'memory.usage_in_bytes', v2: 'memory.current' }));
    const holds = "x=$(head -c 24m /dev/zero | tr '\\0' a); echo ready; read -t 1000 < /dev/zero; sleep 1000";
    manifests.put('web', holds, limited('128Mi'));
    await manifests.untilReady('web', 'True/Running');
    await eventually(
      () => logLines('web').length,
      (count) => count > 0,
      'it holds its memory',
    );
    expect(usage()).toBeGreaterThan(20 * 1024 * 1024);
    manifests.put('web', holds, limited('8Mi'));
    const status = await manifests.untilReady('web', 'False/MemoryInUse');
    expect(conditionOf(status, 'ResourcesApplied')).toBe('False/MemoryInUse');
    expect(cgroupValue('web', 'memory', memoryLimit)).toBe(String(128 * 1024 * 1024));
    manifests.put('web', holds, limited('96Mi'));
    await manifests.untilReady('web', 'True/Running');
    expect(cgroupValue('web', 'memory', memoryLimit)).toBe(String(96 * 1024 * 1024));
  });

  it('undoes what others do over the API, and says so', async () => {
    const agent = await manifests.start();
    manifests.put('web', ticking);
    const { pid } = await manifests.untilReady('web', 'True/Running');
    const { tasks } = agent.api;
    await unary(tasks.pause.bind(tasks), { containerId: 'web' }, { metadata: inNamespace('k8s.default') });
    await eventually(
      () => said(agent, { reason: 'DriftCorrected' }).length,
      (count) => count > 0,
      'it is undone',
    );
    expect(await manifests.untilReady('web', 'True/Running')).toMatchObject({ pid });
  });

  it('restarts in place when the annotation changes', async () => {
    await manifests.start();
    manifests.put('web', ticking, {}, { 'runlet.dev/restartedAt': 'a' });
    const { pid } = await manifests.untilReady('web', 'True/Running');
    manifests.put('web', ticking, {}, { 'runlet.dev/restartedAt': 'b' });
    const status = await manifests.until(
      'web',
      ({ restartCount, state }) => restartCount === 1 && state === 'Running',
      'restarted',
    );
    expect(status).toMatchObject({ restartedAt: 'b', observedGeneration: 1 });
    expect(status.pid).not.toBe(pid);
  });

  it('refuses a root file system outside of those allowed, and says which flag allows it', async () => {
    await manifests.start({ flags: ['--rootfs-allow', '/nonexistent'] });
    manifests.put('web', ticking, { rootfs: { path: '/usr' } });
    const status = await manifests.until('web', (each) => conditionOf(each, 'Stalled') !== undefined, 'stalled');
    expect(conditionOf(status, 'Ready')).toBe('False/PolicyViolation');
    expect(JSON.stringify(status)).toContain('--rootfs-allow');
  });

  it('does not start on a folder that others may write into', async () => {
    chmodSync(manifests.folder, 0o777);
    const { exitCode, log } = await node.runToEnd({ flags: ['--manifests', manifests.folder] });
    expect(exitCode).toBe(1);
    expect(log).toContain('others than root may write into');
  });
});
