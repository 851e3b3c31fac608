import { flagOf, settings, variableOf, type Setting } from './schema.ts';

/** `docs/configuration.md`, made of the schema. */
export function configurationPage(): string {
  const rows = Object.entries(settings).map(([name, setting]) => row(name, setting));
  return `${head}\n| setting | flag and variable | default | meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n${tail}`;
}

/** The default of a setting as it would be written, in backquotes where it is a value. */
export function defaultTextOf(setting: Setting): string {
  if (setting.defaultText !== undefined) return setting.defaultText;
  return setting.default === undefined ? '–' : `\`${String(setting.default)}\``;
}

function row(name: string, setting: Setting): string {
  const { placeholder, repeatable, meaning } = setting;
  const flag = `\`${flagOf(name)}${placeholder === undefined ? '' : ` ${placeholder}`}\`${repeatable ? ', repeatable' : ''}`;
  return `| \`${name}\` | ${flag}<br>\`${variableOf(name)}\` | ${defaultTextOf(setting)} | ${meaning} |`;
}

const head = `# Configuration of the agent

<!-- Made by scripts/write-docs.ts of src/config/schema.ts: change it there. -->

\`runlet agent\` takes its settings from a YAML file (\`--config FILE\`, or \`RUNLET_CONFIG\`), from the environment and from
flags; later ones win, lists as a whole. In the file a setting has the name of the first column; the chart's values below
\`agent\` have the same names. A setting that is wrong stops the agent at its start, with a message that names it and the rule.

- A size is a number of bytes: \`10Mi\`, \`500k\`, \`1048576\`.
- A time has a unit: \`24h\`, \`90s\`, \`1h30m\`; \`0\` is none.
- A list of folders is a list in the file, a flag given several times, or one variable with colons between them.
`;

const tail = `
\`\`\`yaml
# /etc/runlet/agent.yaml
manifests: /etc/runlet/manifests
logMaxSize: 20Mi
rootfsAllow: [/srv/rootfs]
\`\`\`
`;
