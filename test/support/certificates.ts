import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files in PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface SignOptions {
  /** How long it counts from now on; by default 30 days. Below zero it is over. */
  readonly days?: number;
  /** What it may be used for, as in `extendedKeyUsage`; by default everything. */
  readonly usage?: 'serverAuth' | 'clientAuth';
  /** Its names, as in `subjectAltName`; by default those of loopback. */
  readonly names?: string;
}

/** A certificate authority of a test's own, which signs certificates for servers on loopback and for clients. */
export interface TestAuthority extends CertificateFiles {
  sign(name: string, subject: string, options?: SignOptions): CertificateFiles;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const loopback = 'IP:127.0.0.1,DNS:localhost';

/** Makes an authority whose files lie in `folder` under `name`. */
export function makeAuthority(folder: string, name: string): TestAuthority {
  const files = filesOf(folder, name);
  openssl('req', '-x509', ...newKey, '-keyout', files.key, '-out', files.cert, '-subj', `/CN=${name}`, '-days', '30');
  return {
    ...files,
    sign: (leafName, subject, { days = 30, usage, names = loopback } = {}) => {
      const leaf = filesOf(folder, leafName);
      const request = join(folder, `${leafName}.csr`);
      const extensions = join(folder, `${leafName}.ext`);
      const lines = ['basicConstraints=CA:FALSE', `subjectAltName=${names}`];
      writeFileSync(extensions, [...lines, ...(usage ? [`extendedKeyUsage=${usage}`] : [])].join('\n'));
      openssl('req', ...newKey, '-keyout', leaf.key, '-out', request, '-subj', subject);
      openssl(
        ...['x509', '-req', '-in', request, '-CA', files.cert, '-CAkey', files.key, '-CAcreateserial'],
        ...['-days', String(days), '-extfile', extensions, '-out', leaf.cert],
      );
      return leaf;
    },
  };
}

function filesOf(folder: string, name: string): CertificateFiles {
  return { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
