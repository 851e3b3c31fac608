import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode } from '../support/agent.ts';
import { AgentTasks } from '../support/agent-tasks.ts';
import { eventually } from '../support/node.ts';

let node: AgentNode;
beforeEach(() => {
  node = makeAgentNode();
});
afterEach(async () => {
  await node.clean();
});

describe('runlet agent', () => {
  it('serves on a socket that only its owner may open, and takes it away when it leaves', async () => {
    const agent = await node.start();
    expect(statSync(node.socket).mode & 0o777).toBe(0o600);
    expect(await agent.stop()).toBe(0);
    expect(existsSync(node.socket)).toBe(false);
    expect(node.leftovers()).toEqual([]);
  });

  it('refuses to start beside another one on the same folders, which goes on', async () => {
    const first = await node.start();
    const second = await node.runToEnd({ flags: ['--address', `${node.folder}/other.sock`] });
    expect(second.exitCode).toBe(1);
    expect(second.log).toContain('cannot lock');
    expect(second.log).toContain('another agent holds it');
    expect(await new AgentTasks(first).list()).toEqual([]);
  });

  it('refuses a socket that another program answers at, and leaves it alone', async () => {
    await node.start();
    const second = await node.runToEnd({
      flags: ['--state', `${node.folder}/state-2`, '--root', `${node.folder}/root-2`],
    });
    expect(second.exitCode).toBe(1);
    expect(second.log).toContain('another program answers there');
    expect(existsSync(node.socket)).toBe(true);
  });

  it('takes the place of the socket that a killed agent left', async () => {
    const first = await node.start();
    await first.stop('SIGKILL');
    expect(existsSync(node.socket)).toBe(true);
    const second = await node.start();
    expect(await new AgentTasks(second).list()).toEqual([]);
  });

  it('does not take away a file that is no socket', async () => {
    writeFileSync(node.socket, 'somebody’s');
    const agent = await node.runToEnd();
    expect(agent.exitCode).toBe(1);
    expect(agent.log).toContain('is no socket');
    expect(readFileSync(node.socket, 'utf8')).toBe('somebody’s');
  });

  it.each([
    [['--log-max-size', 'lots'], '--log-max-size (RUNLET_LOG_MAX_SIZE, logMaxSize): must be a size such as 10Mi'],
    [['--root', 'here'], '--root (RUNLET_ROOT, root): must be an absolute path'],
    [['--colour'], "unknown option '--colour'"],
    [['--config', '/nonexistent.yaml'], '--config: there is no /nonexistent.yaml'],
  ])('ends with 2 and names the setting for %j', async (flags, message) => {
    const agent = await node.runToEnd({ flags });
    expect(agent.exitCode).toBe(2);
    expect(agent.log).toContain(message);
  });

  it('names the programs that it misses', async () => {
    const agent = await node.runToEnd({ flags: ['--runtime', 'no-such-runtime'] });
    expect(agent.exitCode).toBe(1);
    expect(agent.log).toContain('cannot find the program no-such-runtime on PATH, which is for running containers');
  });

  it('keeps who it is', async () => {
    const uuid = () => readFileSync(`${node.root}/uuid`, 'utf8');
    await (await node.start()).stop();
    const first = uuid();
    await (await node.start()).stop();
    expect(uuid()).toBe(first);
  });
});

describe('tasks of an agent', () => {
  it('run on when it is told to leave, and the next one takes them over', async () => {
    const first = await node.start();
    const pid = await new AgentTasks(first).run(
      'ticker',
      'n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done',
    );
    expect(await first.stop()).toBe(0);
    process.kill(pid, 0);
    const second = await node.start();
    const tasks = new AgentTasks(second);
    expect(await tasks.find('ticker')).toMatchObject({ status: 'running', pid });
    const before = (await tasks.logs('ticker')).length;
    const lines = await eventually(
      () => tasks.logs('ticker'),
      (now) => now.length >= before + 3,
      'output goes on',
    );
    expect(lines).toEqual(lines.map((_, index) => `tick ${index + 1}`));
    await tasks.remove('ticker');
    expect(await tasks.list()).toEqual([]);
    await second.stop();
    expect(node.leftovers()).toEqual([]);
  });

  it('that ended while no agent ran are told with their exit status', async () => {
    const first = await node.start();
    await new AgentTasks(first).run('short', `while [ ! -e /tmp/go ]; do sleep 0.02; done; exit 42`, {
      volumes: [{ name: 'tmp', hostPath: { path: node.folder } }],
      volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
    });
    await first.stop('SIGKILL');
    writeFileSync(`${node.folder}/go`, '');
    await eventually(
      () => existsSync(`${node.state}/tasks/default/short/persist/exit`),
      (there) => there,
      'the monitor records the exit',
    );
    const second = await node.start();
    const tasks = new AgentTasks(second);
    expect(await tasks.find('short')).toMatchObject({ status: 'stopped', exitStatus: 42, reason: 'Exited' });
    await tasks.remove('short');
    await second.stop();
    expect(node.leftovers()).toEqual([]);
  });
});

describe('the address for metrics', () => {
  it('says that the agent is well and ready, and what its tasks use', async () => {
    const agent = await node.start();
    await new AgentTasks(agent).run('web', 'sleep 1000');
    const get = async (path: string) => {
      const response = await fetch(`${agent.metricsUrl}${path}`);
      return { status: response.status, text: await response.text() };
    };
    expect(await get('/healthz')).toMatchObject({ status: 200 });
    expect(await get('/readyz')).toMatchObject({ status: 200 });
    const { text } = await get('/metrics');
    expect(text).toMatch(/^runlet_task_state\{namespace="default",task="web",state="running"\} 1$/m);
    expect(text).toMatch(/^runlet_task_cpu_usage_seconds_total\{namespace="default",task="web"\} /m);
    expect(text).toMatch(/^runlet_operation_duration_seconds_count\{operation="start"\} 1$/m);
  });

  it('is refused when somebody has it, by the name of the setting', async () => {
    const first = await node.start();
    const { port } = new URL(first.metricsUrl);
    const other = `${node.folder}/other`;
    const second = await node.runToEnd({
      flags: ['--state', `${other}/state`, '--root', `${other}/root`, '--metrics-address', `127.0.0.1:${port}`],
    });
    expect(second.exitCode).toBe(1);
    expect(second.log).toContain(`cannot listen on 127.0.0.1:${port} for metrics`);
  });
});
