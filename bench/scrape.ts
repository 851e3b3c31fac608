/**
 * What a scrape costs: of many tasks in this process, to see the work alone, and of tasks of a real agent beside the same
 * number in containerd and in a kubelet's cAdvisor.
 */
import { run as runInProcess } from './scrape-alone.ts';
import { run as runBeside } from './scrape-beside.ts';

/** Prints two tables; figures of one run are to be compared with each other. */
export async function run(): Promise<void> {
  await runInProcess();
  await runBeside();
}
