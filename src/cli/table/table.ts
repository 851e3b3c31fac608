import type { Command } from '../command.ts';
import { imageCommands } from './images.ts';
import { nodeCommands } from './node.ts';
import { processCommands } from './processes.ts';
import { taskCommands } from './tasks.ts';

/** Every client command. Help, completion and docs/verbs.md are made of it. */
export const commands: readonly Command[] = [...processCommands, ...taskCommands, ...nodeCommands, ...imageCommands];
