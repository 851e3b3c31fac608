/** How many steps of one verb are tried at most: with all of them a slow machine takes too long. RUNLET_TEST_STEPS says another. */
const mostTries = Number(process.env['RUNLET_TEST_STEPS'] ?? 8);

/** The numbers of the steps before which a program is killed, evenly spread over all that it has, the first and last among them. */
export function stepsToTry(steps: number): readonly number[] {
  const tries = Math.min(steps, mostTries);
  return Array.from({ length: tries }, (_, index) => 1 + Math.round((index * (steps - 1)) / Math.max(1, tries - 1)));
}
