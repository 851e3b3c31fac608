import type { ListWatch } from '../client/list-watch.ts';

/** What an administrator should know of how a cluster is followed; empty when all is as it should be. */
export function followingNotes({ trouble, selected }: Pick<ListWatch, 'trouble' | 'selected'>): readonly string[] {
  if (trouble) return [`${troubleText(trouble.status)}; tasks go on as they were heard of last`];
  if (selected !== false) return [];
  return [
    'the API server cannot select NodeTasks by node (their CRD is older, or the server is): those of all nodes come here',
  ];
}

function troubleText(status: number | undefined): string {
  switch (status) {
    case undefined:
      return 'the API server does not answer';
    case 401:
      return 'the API server does not accept the agent’s credentials';
    case 403:
      return 'the API server does not let the agent list and watch NodeTasks: its service account lacks the right';
    case 404:
      return 'the API server does not know NodeTasks: install the CRDs of this version';
    default:
      return `the API server answers with status ${status}`;
  }
}
