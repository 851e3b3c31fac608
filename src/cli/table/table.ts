import type { Command } from '../command.ts';
import { nodeCommands } from './node.ts';

/** Every client command. Help, completion and docs/verbs.md are made of it. */
export const commands: readonly Command[] = [...nodeCommands];
