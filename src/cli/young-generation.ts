import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the part of the heap for new objects as small as it is now. V8 doubles it under load, to 16 MiB and twice that beside, and an
 * agent's memory stays so: its load comes in bursts. How often it is to be emptied matters less than the memory, because starting a
 * program stops the agent for a time that grows with it. The largest size itself can be set only before V8 starts.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
