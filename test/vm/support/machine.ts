import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { closeSync, mkdtempSync, openSync, rmSync, ftruncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeInitramfs } from './initramfs.ts';

/** What the guest's program says, one line of JSON for each case, by the case's name. */
export type Report = ReadonlyMap<string, unknown>;

/** What marks a line of the guest's program among those of the kernel on the serial console. */
const mark = '@report ';

/** Emulated, a boot takes 5 s and the cases some 30; a machine that is busy with other things is given eight times that. */
const limitMs = 270_000;

const diskBytes = 64 * 1024 * 1024;

/**
 * Boots a kernel with the unified hierarchy in an emulated machine, runs the guest's program there and returns what it reported.
 * Nothing of the machine is left. Throws with the end of the console when the guest ends without its last report.
 */
export async function runGuest(kernel: string): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  try {
    const initramfs = await makeInitramfs(folder, kernel);
    const disk = makeDisk(join(folder, 'disk'));
    return await boot([
      ...['-accel', 'tcg,thread=multi', '-smp', '2', '-m', '1536', '-nographic', '-no-reboot', '-nic', 'none'],
      ...['-kernel', join(kernel, 'vmlinuz'), '-initrd', initramfs],
      // The clock of the emulated machine must not be doubted by the kernel, which would say so for ever.
      ...['-append', 'console=ttyS0 quiet panic=-1 psi=1 tsc=unstable random.trust_cpu=on mitigations=off'],
      ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`],
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeDisk(path: string): string {
  const file = openSync(path, 'w');
  ftruncateSync(file, diskBytes);
  closeSync(file);
  return path;
}

async function boot(args: readonly string[]): Promise<Report> {
  const machine = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => machine.kill('SIGKILL'), limitMs);
  const report = new Map<string, unknown>();
  const console: string[] = [];
  const ended = once(machine, 'exit');
  try {
    for await (const line of createInterface({ input: machine.stdout })) {
      console.push(line);
      const at = line.indexOf(mark);
      if (at < 0) continue;
      const { name, value } = JSON.parse(line.slice(at + mark.length)) as { name: string; value: unknown };
      report.set(name, value);
    }
    await ended;
  } finally {
    clearTimeout(timer);
    machine.kill('SIGKILL');
  }
  if (report.get('end') !== true)
    throw new Error(
      `the guest did not come to its end:\n${console
        .slice(-60)
        .map((line) => line.slice(0, 300))
        .join('\n')}`,
    );
  return report;
}
