import { join } from 'node:path';
import { readTextSync } from '#host/files.ts';

/**
 * What runc keeps of a container in `<root>/<id>/state.json`, as far as the fast paths need it. Layout: libcontainer's
 * State, runc 1.0 to 1.3.
 */
export interface RuncState {
  readonly initPid: number;
  /** Clock ticks since boot. */
  readonly initStart: string;
  /** Controller → absolute folder; in hybrid mode the v2 tree's controller is the empty text. */
  readonly cgroupFolders: Readonly<Record<string, string>>;
  /** Present where the container needs more than removing folders when it goes. */
  readonly hasPoststopHooks: boolean;
  readonly hasIntelRdt: boolean;
}

/** Reads it; undefined where there is none or its layout is not the known one, and the runtime's command must be asked. */
export function readRuncState(root: string, id: string): RuncState | undefined {
  const text = readTextSync(join(root, id, 'state.json'));
  return text === undefined ? undefined : parseRuncState(text);
}

/** The same from its text. Never throws: what is not understood is undefined. */
export function parseRuncState(text: string): RuncState | undefined {
  const state = asObject(parse(text));
  const { init_process_pid: initPid, init_process_start: initStart, cgroup_paths: folders } = state;
  if (typeof initPid !== 'number' || typeof initStart !== 'number' || !isStringMap(folders)) return undefined;
  const config = asObject(state['config']);
  const hooks = asObject(config['Hooks'])['poststop'];
  return {
    initPid,
    initStart: String(initStart),
    cgroupFolders: folders,
    hasPoststopHooks: Array.isArray(hooks) && hooks.length > 0,
    hasIntelRdt: Boolean(config['intel_rdt'] ?? state['intel_rdt_path']),
  };
}

/** The FIFO that a created container's init waits on; runc's alone, crun turns it around. */
export function execFifo(root: string, id: string): string {
  return join(root, id, 'exec.fifo');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isStringMap(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string');
}
