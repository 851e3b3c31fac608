import { bootId } from '#host/process.ts';
import { ManifestFolder } from '#kubernetes/manifests/manifest-folder.ts';
import { ManifestSink } from '#kubernetes/manifests/manifest-sink.ts';
import { Reconciler } from '#kubernetes/reconcile/reconciler.ts';
import type { Following, RunningDesiredState } from '../desired-state.ts';
import { atOnce } from './at-once.ts';
import { keptRecords } from './kept-records.ts';

/** Makes the node's tasks what the NodeTask files of a folder say. Throws FailedPreconditionError for a folder that is not root's. */
export async function followManifests(
  folder: string,
  { config, core, log, metrics }: Following,
): Promise<RunningDesiredState> {
  const { tasks, making, images, clock, machine } = core;
  const records = keptRecords(config, log);
  const source = new ManifestFolder({
    ...{ folder, clock, log },
    nodeName: config.nodeName,
    records: { files: records('manifest-files'), uids: records('manifest-objects') },
  });
  await source.start();
  const reconciler = new Reconciler({
    ...{ source, tasks, making, images, clock, log, machine, ...atOnce },
    sink: new ManifestSink({ log, expire: (object) => source.expire(object) }),
    records: records('nodetasks'),
    nodeName: config.nodeName,
    bootId: bootId(),
    defaultPidsLimit: config.defaultPidsLimit,
    trust: 'manifest',
    metrics: metrics.queue,
    baseDir: folder,
  });
  await reconciler.start();
  return {
    view: reconciler,
    source: folder,
    notes: () => [],
    get ready() {
      return source.synced || 'the manifests have not been read yet';
    },
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      await reconciler[Symbol.asyncDispose]();
    },
  };
}
