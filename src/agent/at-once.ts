import { availableParallelism } from 'node:os';

/** How much a reconciler does at once. Most of the work on an object is waiting; making a task is work for a processor. */
export const atOnce = { workers: 8, makings: availableParallelism() + 1 };
