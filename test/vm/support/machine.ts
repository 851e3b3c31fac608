import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { closeSync, mkdtempSync, openSync, rmSync, ftruncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority } from '../../support/certificates.ts';
import { freePort } from '../../support/prometheus.ts';
import { endpointPort } from '../guest/port.ts';
import { makeInitramfs } from './initramfs.ts';

/** What the guest's program says, one line of JSON for each case, by the case's name. */
export type Report = ReadonlyMap<string, unknown>;

/** What marks a line of the guest's program among those of the kernel on the serial console. */
const mark = '@report ';

/** Emulated, a boot takes 5 s and the cases two minutes; a machine that is busy with other things is given some times that. */
const limitMs = 450_000;

const diskBytes = 64 * 1024 * 1024;

/** The host's part while the machine runs: the guest waits with its tasks at work until it is done. */
export type Watcher = (seen: {
  /** The guest's endpoint, on loopback of the host. */
  readonly target: string;
  /** What the guest reported before. */
  readonly report: Report;
  /** Certificates of the guest's server and for a client, in this folder. */
  readonly folder: string;
}) => Promise<void>;

/**
 * Boots a kernel with the unified hierarchy in an emulated machine, runs the guest's program there and returns what it reported.
 * Nothing of the machine is left. Throws with the end of the console when the guest ends without its last report.
 */
export async function runGuest(kernel: string, watch: Watcher): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  try {
    const initramfs = await makeInitramfs(folder, kernel, makeCertificates(folder));
    const disk = makeDisk(join(folder, 'disk'));
    const target = `127.0.0.1:${await freePort()}`;
    const args = [
      ...['-accel', 'tcg,thread=multi', '-smp', '2', '-m', '1536', '-nographic', '-no-reboot'],
      // Nothing leaves the machine; the host alone reaches one port of it.
      ...['-netdev', `user,id=net,restrict=on,hostfwd=tcp:${target}-:${endpointPort}`],
      ...['-device', 'virtio-net-pci,netdev=net,romfile='],
      ...['-kernel', join(kernel, 'vmlinuz'), '-initrd', initramfs],
      // The clock of the emulated machine must not be doubted by the kernel, which would say so for ever.
      ...['-append', 'console=ttyS0 quiet panic=-1 psi=1 tsc=unstable random.trust_cpu=on mitigations=off'],
      ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`],
    ];
    return await boot(args, async (report) => await watch({ target, report, folder }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of the guest's server, of the guest as a client and of the host's Prometheus; returns the files that the guest needs. */
function makeCertificates(folder: string): readonly string[] {
  const servers = makeAuthority(folder, 'servers');
  const clients = makeAuthority(folder, 'clients');
  const server = servers.sign('guest-server', '/CN=guest');
  const guest = clients.sign('guest', '/CN=guest', { usage: 'clientAuth' });
  clients.sign('prometheus', '/CN=prometheus', { usage: 'clientAuth' });
  return [servers.cert, clients.cert, server.cert, server.key, guest.cert, guest.key];
}

function makeDisk(path: string): string {
  const file = openSync(path, 'w');
  ftruncateSync(file, diskBytes);
  closeSync(file);
  return path;
}

async function boot(args: readonly string[], watch: (report: Report) => Promise<void>): Promise<Report> {
  const machine = spawn('qemu-system-x86_64', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  machine.stdin.on('error', () => {}); // it may end before it has read what it is told
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
      if (name !== 'watched') continue;
      await watch(report);
      machine.stdin.write('\n');
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
