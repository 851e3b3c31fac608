import type { SoakObject, Story } from './objects.ts';
import type { Runs } from './task-program.ts';

/** Starts that nothing has asked for, one sentence each. */
export function needlessStarts(
  stories: ReadonlyMap<string, Story>,
  allRuns: ReadonlyMap<string, Runs>,
  objects: readonly SoakObject[],
): readonly string[] {
  const counts = new Map(objects.map(({ metadata, status }) => [metadata.uid, (status?.restartCount ?? 0) + 1]));
  return [...allRuns].flatMap(([uid, runs]) => {
    const story = stories.get(uid);
    if (!story) return [`an object ${uid} has run that nobody has made`];
    const what = `${story.name} (${uid}) was started ${runs.starts.length} times`;
    const most = mostStarts(story, runs);
    const counted = counts.get(uid) ?? Infinity;
    return [
      ...(runs.starts.length > most ? [`${what}: its changes and ends allow ${most}`] : []),
      ...(runs.starts.length > counted ? [`${what}: its status counts ${counted}`] : []),
      ...(Number.isFinite(counted) && counted > most
        ? [`${what}: its status counts ${counted}, allowed are ${most}`]
        : []),
    ];
  });
}

/** One start, one for each change that begins a run anew, and one for each end that its policy makes good. */
function mostStarts({ restartPolicy, begins, kills }: Story, { ends }: Runs): number {
  if (restartPolicy === 'Never') return 1 + begins;
  // Whose monitor was killed has no exit status: its end counts as a failure.
  const counted = restartPolicy === 'Always' || kills > 0 ? ends : ends.filter((code) => code !== 0);
  return 1 + begins + kills + counted.length;
}
