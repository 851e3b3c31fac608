/**
 * Writes test/fixtures/kubernetes-api/fields.json: the fields of every kind that the chart may render, by Kubernetes' minor
 * version, and those of the Prometheus operator's two kinds. Taken from packages that are made of Kubernetes' OpenAPI documents
 * and of the operator's CRDs; only names, types and what is required. To be run by hand when a version comes:
 *   node scripts/kubernetes-fields.ts
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { operatorKinds, renderedKinds, type ApiFields, type Field } from '../test/support/api-fields.ts';

/** Which version of the client is made of which minor version's document. There is none for 1.31 and 1.35. */
const clients: Readonly<Record<number, string>> = {
  ...{ 28: '0.20.0', 29: '0.21.0', 30: '0.22.3', 32: '1.1.2', 33: '1.3.0', 34: '1.4.0', 36: '2.0.1' },
};
const clientPackage = '@kubernetes/client-node';
const operatorPackage = '@kubernetes-models/prometheus-operator@6.0.0';

type Model = Readonly<Record<string, Field>>;

const work = mkdtempSync(join(tmpdir(), 'runlet-fields-'));
try {
  const versions = Object.fromEntries(
    Object.entries(clients).map(([minor, version]) => [minor, clientModels(version)]),
  );
  const output: ApiFields = {
    sources: [...Object.values(clients).map((version) => `${clientPackage}@${version}`), operatorPackage],
    versions,
    operator: operatorModels(),
  };
  const folder = join(import.meta.dirname, '../test/fixtures/kubernetes-api');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'fields.json'), `${JSON.stringify(output)}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function unpack(name: string): string {
  const folder = mkdtempSync(join(work, 'package-'));
  const archive = execFileSync('npm', ['pack', '--silent', name], { cwd: folder, encoding: 'utf8' }).trim();
  execFileSync('tar', ['-xzf', archive], { cwd: folder });
  return join(folder, 'package');
}

/** The models that the kinds are made of. */
function clientModels(version: string): Readonly<Record<string, Model>> {
  const generated = join(unpack(`${clientPackage}@${version}`), 'dist/gen');
  const folder = [join(generated, 'models'), join(generated, 'model')].find(existsSync) ?? generated;
  const files = new Map(
    readdirSync(folder).flatMap((file) => (file.endsWith('.d.ts') ? [[file.slice(0, -5).toLowerCase(), file]] : [])),
  );
  return closure(
    renderedKinds.map((kind) => `V1${kind}`),
    (name) => {
      const file = files.get(name.toLowerCase());
      return file === undefined ? undefined : clientModel(join(folder, file.slice(0, -5)));
    },
  );
}

function clientModel(path: string): Model {
  const [, map = ''] = /attributeTypeMap = \[([\s\S]*?)\n\];/.exec(readFileSync(`${path}.js`, 'utf8')) ?? [];
  const fields = [...map.matchAll(/"name": "([^"]+)",\s*"baseName": "([^"]+)",\s*"type": "([^"]+)"/g)];
  const declared = readFileSync(`${path}.d.ts`, 'utf8');
  return Object.fromEntries(
    fields.map(([, name = '', baseName = '', type = '']) => [
      baseName,
      declared.includes(`'${name}'?:`) ? type : `${type}!`,
    ]),
  );
}

function operatorModels(): Readonly<Record<string, Model>> {
  const folder = join(unpack(operatorPackage), 'monitoring.coreos.com/v1');
  return closure([...operatorKinds], (name) => {
    const file = join(folder, `${name}.d.ts`);
    return existsSync(file) ? operatorModel(name, readFileSync(file, 'utf8')) : undefined;
  });
}

/** A class with its fields, or a type of texts. */
function operatorModel(name: string, text: string): Model | undefined {
  const bare = text.replaceAll(/\/\*[\s\S]*?\*\//g, '');
  const [, body] = new RegExp(`export declare class ${name} [^{]*\\{([\\s\\S]*?)\\n\\}`).exec(bare) ?? [];
  if (body === undefined) return undefined;
  const fields = [...body.matchAll(/^ {4}"([^"]+)"(\??): ([\s\S]*?);\n(?= {4}["a-z]|$)/gm)];
  return Object.fromEntries(
    fields.map(([, field = '', optional, type = '']) => [field, `${operatorType(type)}${optional ? '' : '!'}`]),
  );
}

/** In the client's words. */
function operatorType(type: string): string {
  return type
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/IComGithub\w*?MonitoringV1(?=[A-Z])/g, '')
    .replaceAll(/IIoK8sApimachineryPkgApisMetaV1(?=[A-Z])|IIoK8sApiCoreV1(?=[A-Z])/g, 'V1')
    .replaceAll('IIoK8sApimachineryPkgUtilIntstrIntOrString', 'IntOrString')
    .replaceAll('IIoK8sApimachineryPkgApiResourceQuantity', 'any')
    .replaceAll(/"[^"]*"(?: \| "[^"]*")*/g, 'string');
}

/** Models by name and all that their fields are made of, in the order of their names. */
function closure(names: readonly string[], read: (name: string) => Model | undefined): Readonly<Record<string, Model>> {
  const found = new Map<string, Model>();
  const queue = [...names];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    const model = read(name);
    if (!model) continue;
    found.set(name, model);
    queue.push(...Object.values(model).flatMap((type) => type.match(/[A-Z]\w+/g) ?? []));
  }
  return Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
