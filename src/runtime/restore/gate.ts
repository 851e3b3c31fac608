import { join } from 'node:path';
import { freezeOrder, thaw } from '#cgroup/freezer.ts';
import { runCommand } from '#host/command.ts';
import { openDescriptor, writeFifo, type Descriptor } from '#host/descriptors.ts';
import { makeFolderSync, readTextSync, removeTreeSync, writeAtomicSync } from '#host/files.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { RuntimeContext } from '../context.ts';
import type { SupervisedTask } from '../supervised-task.ts';
import { helperGroup } from './helpers.ts';
import { gateVariable, holdProgram, holdScript } from './hold-script.ts';

/** Holds a task that is being restored before its first instruction, until somebody says that it may go on. */
export class RestoreGate implements Disposable {
  /** For CRIU's environment, through conmon and the runtime. */
  readonly env: Readonly<Record<string, string>>;
  readonly #task: SupervisedTask;
  readonly #places: GatePlaces;
  /** Open as long as this agent lives: its end tells the script that no word will come. */
  readonly #verdict: Descriptor;

  private constructor(task: SupervisedTask, places: GatePlaces) {
    this.#task = task;
    this.#places = places;
    this.env = { [gateVariable]: places.script };
    this.#verdict = openDescriptor(places.verdict, 'read-write-nonblocking');
  }

  /** Makes the files that CRIU is to find, and the cgroup that it is to move to. */
  static async make(context: RuntimeContext, task: SupervisedTask): Promise<RestoreGate> {
    const places = gatePlaces(task.bundle.path);
    const helpers = helperGroup(context, task);
    const program = join(context.programsFolder, 'hold-restored');
    makeFolderSync(context.programsFolder, 0o711);
    if (readTextSync(program) !== holdProgram) writeAtomicSync(program, holdProgram, 0o755);
    removeTreeSync(places.folder);
    makeFolderSync(places.folder, 0o700);
    await runCommand('mkfifo', ['-m', '600', places.verdict]);
    const { verdict, held } = places;
    const freeze = freezeOrder(task.group, true);
    const proved = task.bundle.provedMark;
    writeAtomicSync(places.script, holdScript({ helperFolders: helpers.folders, freeze, verdict, held, proved }));
    writeAtomicSync(places.config, `action-script ${program}\n`);
    helpers.create();
    return new RestoreGate(task, places);
  }

  /** The first process's pid once everything stands still; undefined before. */
  get heldPid(): number | undefined {
    const pid = Number(readTextSync(this.#places.held) ?? Number.NaN);
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  }

  /** Lets the task go on. From here it counts as restored, also for the next agent. */
  open(): void {
    this.#task.bundle.markProved();
    thaw(this.#task.group);
    writeFifo(this.#places.verdict, 'go\n');
  }

  [Symbol.dispose](): void {
    this.#verdict[Symbol.dispose]();
    removeTreeSync(this.#places.folder);
  }
}

interface GatePlaces {
  readonly folder: string;
  readonly config: string;
  readonly script: string;
  readonly held: string;
  readonly verdict: string;
}

function gatePlaces(bundle: string): GatePlaces {
  const folder = join(bundle, 'gate');
  const at = (name: string) => join(folder, name);
  return { folder, config: at('criu.conf'), script: at('hold.sh'), held: at('held'), verdict: at('verdict') };
}

/** A specification that lets the runtime hand CRIU the gate's configuration, by an annotation that runc knows since 1.0. */
export function withGate(spec: RuntimeSpec, bundle: string): RuntimeSpec {
  return { ...spec, annotations: { ...spec.annotations, 'org.criu.config': gatePlaces(bundle).config } };
}
