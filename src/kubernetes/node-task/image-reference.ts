const host =
  '(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\\[[0-9a-fA-F:]+\\])';
const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const repository = `(?:${host}(?::[0-9]{1,5})?/)?${component}(?:/${component})*`;
const tag = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const digest = '[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,128}';

/** `[host[:port]/]path[:tag][@digest]`, the grammar of OCI's distribution specification. */
export const registryReferencePattern = `^${repository}(?::(${tag}))?(?:@(${digest}))?$`;
const registryReference = new RegExp(registryReferencePattern);

/** Prefixes of images that are files of the node. */
const localPrefixes = ['oci:', 'docker-archive:'] as const;

/** Whether an image is named by a path of the node instead of a registry. */
export function isLocalImage(image: string): boolean {
  return localPrefixes.some((prefix) => image.startsWith(prefix));
}

/** What is wrong with an image's name; undefined when nothing is. */
export function imageProblem(image: string, localPathsAllowed: boolean): string | undefined {
  if (isLocalImage(image)) {
    if (!localPathsAllowed) return 'must be a reference to a registry: paths of the node are for manifest folders only';
    return /^[a-z-]+:[^\0]+$/.test(image) ? undefined : 'must name a path after the prefix, such as oci:images/web:1.0';
  }
  return registryReference.test(image)
    ? undefined
    : 'must be an image reference such as docker.io/library/busybox:1.37: lower case, no spaces';
}

/** When to pull: as the spec says, else Always for the tag `latest` or none, else IfNotPresent; a Pod has the same rule. */
export function imagePullPolicyOf(spec: {
  readonly image?: string;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
}): 'Always' | 'IfNotPresent' | 'Never' {
  if (spec.imagePullPolicy) return spec.imagePullPolicy;
  const [, imageTag, imageDigest] = registryReference.exec(spec.image ?? '') ?? [];
  if (isLocalImage(spec.image ?? '') || imageDigest) return 'IfNotPresent';
  return imageTag === undefined || imageTag === 'latest' ? 'Always' : 'IfNotPresent';
}
