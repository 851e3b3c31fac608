import { hostname } from 'node:os';
import { loadAll } from 'js-yaml';
import { InvalidArgumentError, errorMessage } from '#errors/errors.ts';
import { readTextSync } from '#host/files.ts';
import type { Config } from './config.ts';
import { problemText, ruleProblems, type SettingProblem } from './rules.ts';
import { settings, variableOf, type CheckedSettings, type RawSettings, type SettingName } from './schema.ts';

export interface ConfigSources {
  /** What stood on the command line, by the names of settings. */
  readonly flags: RawSettings;
  /** `--config`; the variable RUNLET_CONFIG stands for it. */
  readonly file?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly hostName?: string;
}

/** In a pod, whose loopback is nobody else's, the port can be the same on every node. */
const podStreamAddress = { host: '127.0.0.1', port: 9621 };

const names = Object.keys(settings) as SettingName[];

/**
 * The configuration of an agent: a YAML file, then the environment, then flags; later ones win, lists as a whole. Throws
 * InvalidArgumentError that names every setting with a rule that it breaks, one a line.
 */
export function loadConfig(sources: ConfigSources): Config {
  const { flags, env = process.env, hostName = hostname() } = sources;
  const file = sources.file ?? env['RUNLET_CONFIG'];
  const raw = { ...(file ? readConfigFile(file) : {}), ...readEnvironment(env), ...defined(flags) };
  const checked = check(raw);
  const { cgroupDriver, cgroupParent, metricsAuth, nodeName, streamAddress, kubernetes } = checked;
  return {
    ...checked,
    cgroupParent: cgroupParent ?? (cgroupDriver === 'systemd' ? 'runlet.slice' : '/runlet'),
    metricsAuth: metricsAuth ?? 'none',
    nodeName: nodeName ?? (env['NODE_NAME'] || hostName),
    streamAddress: streamAddress ?? (kubernetes ? podStreamAddress : undefined),
  };
}

/** Checks values by their schemas and by the rules between them. */
function check(raw: RawSettings): CheckedSettings {
  const problems: SettingProblem[] = [];
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const given = raw[name] ?? defaultOf(name);
    if (given === undefined) continue;
    const parsed = settings[name].value.safeParse(given);
    if (parsed.success) values[name] = parsed.data;
    else problems.push({ name, rule: `${ruleOf(parsed.error)}, not ${JSON.stringify(given)}` });
  }
  if (problems.length === 0) problems.push(...ruleProblems(values as unknown as CheckedSettings));
  if (problems.length > 0) throw new InvalidArgumentError(problems.map(problemText).join('\n'));
  return values as unknown as CheckedSettings;
}

function defaultOf(name: SettingName): unknown {
  const setting = settings[name];
  if ('default' in setting) return setting.default;
  return 'repeatable' in setting ? [] : undefined;
}

/** The rule alone; of a list, the first item's that breaks it. */
function ruleOf(error: {
  readonly issues: readonly { readonly message: string; readonly path: readonly PropertyKey[] }[];
}): string {
  const [issue] = error.issues;
  const [index] = issue?.path ?? [];
  return `${typeof index === 'number' ? `item ${index + 1} ` : ''}${issue?.message ?? 'is wrong'}`;
}

function readEnvironment(env: Readonly<Record<string, string | undefined>>): RawSettings {
  // Others begin with RUNLET_ too, such as what Kubernetes sets for a service of that name: only known names count.
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = env[variableOf(name)];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
}

function readConfigFile(path: string): RawSettings {
  const text = readTextSync(path);
  if (text === undefined) throw new InvalidArgumentError(`--config: there is no ${path}`);
  const values = parse(path, text);
  if (values === undefined || values === null) return {};
  if (typeof values !== 'object' || Array.isArray(values)) {
    throw new InvalidArgumentError(`--config: ${path} must be a map of settings to values`);
  }
  const unknown = Object.keys(values).filter((name) => !Object.hasOwn(settings, name));
  if (unknown.length > 0) {
    throw new InvalidArgumentError(
      unknown.map((name) => `--config: ${path}: ${name} is no setting${hint(name)}`).join('\n'),
    );
  }
  return defined(values);
}

function parse(path: string, text: string): unknown {
  try {
    return onlyDocument(path, loadAll(text));
  } catch (error) {
    throw new InvalidArgumentError(`--config: ${path} is not YAML: ${errorMessage(error)}`, { cause: error });
  }
}

/** An empty file and one of comments only hold no document. */
function onlyDocument(path: string, documents: readonly unknown[]): unknown {
  if (documents.length > 1) throw new InvalidArgumentError(`${path} must hold one document`);
  return documents[0];
}

/** Names the setting that somebody probably meant: the same letters, however they are joined. */
function hint(name: string): string {
  const meant = names.find((known) => lettersOf(known) === lettersOf(name));
  return meant ? `: write ${meant}` : '; docs/configuration.md lists them';
}

function lettersOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '')
    .replace(/^runlet/, '');
}

function defined(values: RawSettings): RawSettings {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}
