import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Files in PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of a test's own, which signs certificates for servers on loopback and for clients. */
export interface TestAuthority extends CertificateFiles {
  sign(name: string, subject: string): CertificateFiles;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Makes an authority whose files lie in `folder` under `name`. */
export function makeAuthority(folder: string, name: string): TestAuthority {
  const files = filesOf(folder, name);
  openssl('req', '-x509', ...newKey, '-keyout', files.key, '-out', files.cert, '-subj', `/CN=${name}`, '-days', '30');
  return {
    ...files,
    sign: (leafName, subject) => {
      const leaf = filesOf(folder, leafName);
      const issuer = ['-CA', files.cert, '-CAkey', files.key];
      const names = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-addext', 'basicConstraints=CA:FALSE'];
      openssl(
        ...['req', '-x509', ...issuer, ...newKey, '-keyout', leaf.key, '-out', leaf.cert, '-subj', subject],
        ...['-days', '30', ...names],
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
