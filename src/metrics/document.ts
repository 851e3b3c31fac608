import type { StatsDetail } from '#cgroup/stats.ts';
import { AgentMetrics } from './agent.ts';
import { budgetRows } from './budget.ts';
import { taskFamilies } from './container/families.ts';

/** A metric as documentation and checks see it. */
export interface MetricFact {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Label → the values it may have, as far as they are known. */
  readonly labels: Readonly<Record<string, readonly string[] | undefined>>;
  /** Of a task's metric: the smallest profile that has it. */
  readonly profile?: StatsDetail;
}

/** Every metric of a task. */
export function taskMetrics(): readonly MetricFact[] {
  return taskFamilies.map(({ name, type, help, profile, labels = {} }) => ({
    ...{ name, type, help, profile },
    labels: { namespace: undefined, task: undefined, ...labels },
  }));
}

/** What is told of all tasks together. */
export function nodeMetrics(): readonly MetricFact[] {
  return budgetRows.map(({ name, type, help }) => ({ name, type, help, labels: {} }));
}

/** Every metric of the agent itself, those of Node included. */
export function agentMetrics(): readonly MetricFact[] {
  using metrics = new AgentMetrics({ version: '' });
  return metrics.registry.getMetricsAsArray().map((metric) => ({
    name: metric.name,
    type: String(metric.type),
    help: metric.help,
    labels: Object.fromEntries(labelNamesOf(metric).map((label) => [label, undefined])),
  }));
}

/** prom-client keeps them on every metric and leaves them out of the type. */
function labelNamesOf(metric: object): readonly string[] {
  return (metric as { readonly labelNames?: readonly string[] }).labelNames ?? [];
}

/** `docs/metrics.md`, made of the tables. */
export function metricsPage(): string {
  const own = agentMetrics().filter(({ name }) => name.startsWith('runlet_'));
  const standard = agentMetrics().filter(({ name }) => !name.startsWith('runlet_'));
  return [
    head,
    '## Of each task\n',
    '| metric | type | labels | from profile | meaning |\n| --- | --- | --- | --- | --- |',
    ...taskMetrics().map((metric) => row(metric, [`${metric.profile}`])),
    `\n${notes}`,
    `${budgetHead}\n`,
    '| metric | type | labels | meaning |\n| --- | --- | --- | --- |',
    ...nodeMetrics().map((metric) => row(metric, [])),
    '\n## Of the agent\n',
    '| metric | type | labels | meaning |\n| --- | --- | --- | --- |',
    ...own.map((metric) => row(metric, [])),
    '\nAnd what is usual for a process and for Node:',
    `${standard.map(({ name }) => `\`${name}\``).join(', ')}.\n`,
    tail,
  ].join('\n');
}

function row({ name, type, help, labels }: MetricFact, more: readonly string[]): string {
  return `| ${[`\`${name}\``, type, labelText(labels), ...more, help].join(' | ')} |`;
}

function labelText(labels: MetricFact['labels']): string {
  const texts = Object.entries(labels)
    .filter(([name]) => name !== 'namespace' && name !== 'task')
    .map(([name, values]) => (values ? `${name}: ${values.map((value) => `\`${value}\``).join(' ')}` : name));
  return texts.join('<br>') || '–';
}

const head = `# Metrics

<!-- Made by scripts/write-docs.ts of the tables in src/metrics: change them there. -->

\`/metrics\` answers with Prometheus' text format 0.0.4 or with OpenMetrics 1.0, as the scraper asks, compressed when it likes.
Every task on the node is there, whoever made it, labelled with \`namespace\` (containerd's) and \`task\`. Numbers are read from
the task's cgroup when they are asked for: scrapes that overlap share a reading, nothing else is kept, and no timestamp is sent,
so that a series ends when the task does.

- What comes of a cgroup ends with the task's process. \`runlet_task_info\`, \`_state\`, \`_start_time_seconds\`, \`_restarts_total\`
  and \`_last_exit_status\` stay until the task is deleted.
- A file that the kernel does not have is a series that is missing, never a zero. No limit is \`+Inf\`.
- A task that is shorter than the scrape interval is in \`runlet_finished_*\`.
- \`--metrics-profile\` says how much there is of a task: \`basic\` (about 25 series), \`standard\` (about 55, and some for each device
  and interface) or \`full\` (about 110). Only the files of the profile are kept open, some 20 a task in \`standard\`, and never more
  than 85 % of the descriptors that the agent may have (\`process_max_fds\`): beyond that a file is opened for each reading, which
  takes five times as long. \`runlet_kept_cgroup_files\` says how many are.
- A task has series of at most 16 block devices, 8 interfaces and 4 sizes of huge pages; what is left out is counted in
  \`runlet_dropped_label_values_total\`.
`;

const notes = `Where the numbers come from: \`cpu.stat\`, \`memory.*\`, \`io.stat\`, \`pids.*\`, \`hugetlb.*\`, \`*.pressure\` and \`cgroup.events\`
of cgroup v2; \`cpuacct\`, \`cpu\`, \`memory\` (\`total_…\`, which counts the groups below), \`blkio\`, \`pids\`, \`hugetlb\` and \`freezer\`
of v1; \`/proc/PID/net/dev\` for tasks with a network namespace of their own. v1 has no memory events, and pressure only where a
v2 tree is mounted beside it.
`;

const budgetHead = `## Of all tasks together

The node's budget, which \`--budget-memory\`, \`--budget-cpu-weight\` and \`--budget-pids\` set, and what is used of it: numbers of
the cgroup that holds those of all tasks (\`--cgroup-parent\`). In every profile.`;

const tail = `## Who may read them

\`/healthz\` and \`/readyz\` answer everybody, always. \`/metrics\` answers everybody on loopback, where it needs no TLS either; on
another address the agent does not start without a certificate (\`--metrics-tls-cert\`, \`--metrics-tls-key\`) and \`--metrics-auth\`:

| \`--metrics-auth\` | who | while the API server is away |
| --- | --- | --- |
| \`mtls\` | holders of a certificate for clients of \`--metrics-client-ca\` | the same |
| \`kubernetes\` | holders of a token whose user may \`get\` the non-resource URL \`/metrics\`: the cluster is asked (TokenReview, SubjectAccessReview); a yes counts for a minute, a no for ten seconds | whom the agent knows for the rest of that minute, others get 503 |
| \`jwt\` | holders of a service account's token for the audience \`runlet\`, checked with the cluster's keys and without asking it; the keys are read each hour, and once a minute at most for a key that is new | the same, also after a restart of the agent |

- Any pod may have a token for any audience, and any client's certificate is one of the authority: \`--metrics-allow\` names the
  certificates or service accounts that may read. With \`kubernetes\` that is for the cluster's roles to say.
- What the cluster takes back, a deleted pod's token or a role, counts until the agent asks again; with \`jwt\` until the token ends.
- 401 is for whom the agent does not know, 403 for whom it does not let read, 503 while it cannot tell; the log says why, and
  \`runlet_scrape_answers_total\` counts them. No token is ever logged or kept: answers are remembered by its digest.
- Certificate, key and authorities are read anew when their files are replaced, in place or by the swap of a Kubernetes volume, and
  shown to new connections. While they are broken or do not go together the old ones go on: the log names file and fault, and
  \`runlet_certificate_loads_total{result="failed"}\` counts it. New authorities end the connections that the old ones let in;
  Prometheus comes again by itself. \`runlet_certificate_expiry_timestamp_seconds\` is there for an alert.
- At most 128 connections are open; one more ends the oldest, so that nobody can keep scrapers out by opening many.

A scrape over TLS with a token, or with a certificate of a client; for \`jwt\` the file is that of a projected volume
(\`serviceAccountToken\` with \`audience: runlet\`):

\`\`\`yaml
scrape_configs:
  - job_name: runlet
    scheme: https
    tls_config: { ca_file: ca.crt } # for mtls also cert_file and key_file
    authorization: { credentials_file: /var/run/secrets/kubernetes.io/serviceaccount/token } # not for mtls
    static_configs: [{ targets: ["node1:9620"] }]
\`\`\`

## Dashboard and alerts

The chart's \`files/dashboard.json\` is a Grafana dashboard, \`files/alerts.yaml\` are rules for Prometheus; each alert leads to a
section of [runbooks](runbooks.md).
`;
