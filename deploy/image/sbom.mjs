// Writes what is in the image as SPDX 2.3 JSON: Debian's packages by dpkg, ours by package-lock.json, and Node.
// Plain JavaScript, because it runs inside the image: node sbom.mjs PACKAGE-LOCK VERSION SOURCE_DATE_EPOCH
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

const [lockFile, version, epoch] = process.argv.slice(2);

const debian = readFileSync('/var/lib/dpkg/status', 'utf8')
  .split('\n\n')
  .map((text) =>
    Object.fromEntries([...text.matchAll(/^([A-Z][A-Za-z-]*): (.*)$/gm)].map(([, key, value]) => [key, value])),
  )
  .filter(({ Package, Status }) => Package && Status?.endsWith(' installed'))
  .map(({ Package, Version, Architecture }) => ({
    ...{ name: Package, version: Version, license: 'NOASSERTION' },
    url: `pkg:deb/debian/${Package}@${encodeURIComponent(Version)}?arch=${Architecture}`,
  }));

const modules = Object.entries(JSON.parse(readFileSync(lockFile, 'utf8')).packages)
  // Of the optional ones, which are for one platform each, what has been put there.
  .filter(([path, { dev, optional }]) => path !== '' && !dev && (!optional || existsSync(`/usr/lib/runlet/${path}`)))
  .map(([path, { version: its, license }]) => ({ name: path.replace(/^.*node_modules\//, ''), version: its, license }))
  .map((each) => ({ ...each, url: `pkg:npm/${each.name.replace('@', '%40')}@${each.version}` }));

const own = [
  { name: 'runlet', version, license: 'Apache-2.0', url: `pkg:generic/runlet@${version}` },
  { name: 'node', version: process.versions.node, license: 'MIT', url: `pkg:generic/node@${process.versions.node}` },
];

const all = [...own, ...[...debian, ...modules].toSorted((a, b) => (a.url < b.url ? -1 : 1))];
const packages = all.map(({ name, version: its, license, url }, at) => ({
  SPDXID: `SPDXRef-Package-${at}`,
  name,
  versionInfo: its,
  downloadLocation: 'NOASSERTION',
  filesAnalyzed: false,
  licenseConcluded: 'NOASSERTION',
  licenseDeclared: /^[A-Za-z0-9.+-]+$/.test(license ?? '') ? license : 'NOASSERTION',
  copyrightText: 'NOASSERTION',
  externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: url }],
}));
const content = createHash('sha256').update(JSON.stringify(packages)).digest('hex');
const relation = ({ SPDXID }) => ({
  ...{ spdxElementId: 'SPDXRef-Package-0', relationshipType: 'CONTAINS', relatedSpdxElement: SPDXID },
});

process.stdout.write(
  `${JSON.stringify(
    {
      spdxVersion: 'SPDX-2.3',
      dataLicense: 'CC0-1.0',
      SPDXID: 'SPDXRef-DOCUMENT',
      name: `runlet-${version}`,
      documentNamespace: `https://runlet.dev/spdx/runlet-${version}-${content}`,
      creationInfo: {
        created: new Date(Number(epoch) * 1000).toISOString().replace('.000Z', 'Z'),
        creators: ['Tool: runlet-sbom'],
      },
      packages,
      relationships: [
        { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: 'SPDXRef-Package-0' },
        ...packages.slice(1).map(relation),
      ],
    },
    undefined,
    1,
  )}\n`,
);
