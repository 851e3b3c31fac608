import { InvalidArgumentError } from '#errors/errors.ts';

/**
 * The cgroup that the runtime asks systemd for, from its triple `slice:prefix:name`: `/a.slice/a-b.slice/prefix-name.scope`
 * for slice `a-b.slice` (systemd.slice(5): every dash is a step). Throws InvalidArgumentError.
 */
export function systemdCgroupPath(triple: string): string {
  const [slice, prefix, name, ...rest] = triple.split(':');
  if (!slice?.endsWith('.slice') || prefix === undefined || !name || rest.length > 0) {
    throw new InvalidArgumentError(`a cgroups path for systemd is slice:prefix:name, not ${triple}`);
  }
  const unit = name.endsWith('.slice') ? name : `${prefix === '' ? '' : `${prefix}-`}${name}.scope`;
  return `${slicePath(slice)}/${unit}`;
}

function slicePath(slice: string): string {
  if (slice === '-.slice') return '';
  const parts = slice.slice(0, -'.slice'.length).split('-');
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('-')}.slice`).join('');
}
