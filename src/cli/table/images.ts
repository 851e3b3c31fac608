import type { Command } from '../command.ts';

const imageArgument = { usage: '<references...>', kind: 'image' } as const;

/** Commands for images. */
export const imageCommands: readonly Command[] = [
  {
    name: 'images ls',
    group: 'Images',
    summary: 'list the images on the node',
    args: [],
    flags: [{ flags: '-q, --quiet', summary: 'only references' }],
    examples: [['runlet images ls', 'size, age, and whether a task uses it']],
    same: { ctr: '`ctr images ls`', kubectl: '–' },
    load: () => import('../verbs/images-ls.ts'),
  },
  {
    name: 'images pull',
    group: 'Images',
    summary: 'pull images',
    args: [imageArgument],
    flags: [],
    examples: [
      ['runlet images pull docker.io/library/busybox:1.37', 'from a registry'],
      ['runlet images pull oci:images/busybox:latest', 'from a folder'],
    ],
    same: { ctr: '`ctr images pull REF`', kubectl: '– (a NodeTask pulls)' },
    load: () => import('../verbs/images-pull.ts'),
  },
  {
    name: 'images rm',
    group: 'Images',
    summary: 'remove images that no task uses',
    args: [imageArgument],
    flags: [],
    examples: [['runlet images rm docker.io/library/busybox:1.37', 'refused while a task uses it']],
    same: { ctr: '`ctr images rm REF`', kubectl: '–' },
    load: () => import('../verbs/images-rm.ts'),
  },
  {
    name: 'images prune',
    group: 'Images',
    summary: 'remove every image that no task uses',
    args: [],
    flags: [],
    examples: [['runlet images prune', 'and say what that freed']],
    same: { ctr: '`ctr images prune --all`', kubectl: '–' },
    load: () => import('../verbs/images-prune.ts'),
  },
];
