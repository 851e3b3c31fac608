import { unary } from '#api/client.ts';
import type { ImageSummary } from '#api/gen/runlet/v1/runlet.ts';
import type { Invocation } from '../command.ts';
import { formatTable } from '../output/table.ts';
import { formatBytes, formatDuration } from '../output/units.ts';
import { Session } from '../session.ts';

/** Lists the images on the node. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { flags, shell } = invocation;
  const { runlet } = session.api;
  const { images } = await unary(runlet.listImages.bind(runlet), {});
  const text = () =>
    formatTable(
      [
        { heading: 'REFERENCE', cell: (image) => image.reference },
        { heading: 'ID', cell: (image) => image.imageId.replace('sha256:', '').slice(0, 12) },
        { heading: 'SIZE', cell: (image) => formatBytes(image.sizeBytes), right: true },
        { heading: 'PULLED', cell: (image) => pulledText(image, shell.nowMs()) },
        { heading: 'IN-USE', cell: (image) => (image.inUse ? 'yes' : 'no') },
      ],
      images,
    );
  const references = () => images.map(({ reference }) => `${reference}\n`).join('');
  await session.print({ json: () => images.map(imageJson), text: flags.is('quiet') ? references : text });
}

function pulledText({ pulledAtMs }: ImageSummary, nowMs: number): string | undefined {
  return pulledAtMs === 0n ? undefined : `${formatDuration(nowMs - Number(pulledAtMs))} ago`;
}

/** An image for programs. */
export function imageJson({ reference, digest, imageId, sizeBytes, pulledAtMs, inUse }: ImageSummary): object {
  const pulledAt = pulledAtMs === 0n ? {} : { pulledAt: new Date(Number(pulledAtMs)).toISOString() };
  return { reference, digest, imageId, sizeBytes: Number(sizeBytes), ...pulledAt, inUse };
}
