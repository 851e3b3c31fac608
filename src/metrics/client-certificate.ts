import type { TLSSocket } from 'node:tls';
import type { Verdict } from './authorizer.ts';

/**
 * Judges the certificate that a connection showed: it must be of the authorities that the server trusts, which was looked at
 * when the connection was made, and still count now; where names are given it must have one of them.
 */
export function judgeCertificate(socket: object, allow: readonly string[], nowMs: number): Verdict {
  const { authorized, getPeerX509Certificate } = socket as Partial<TLSSocket>;
  // A session that is resumed without any certificate is nobody's, whatever the TLS library makes of it.
  const certificate = authorized === true ? getPeerX509Certificate?.call(socket as TLSSocket) : undefined;
  if (!certificate || nowMs >= Date.parse(certificate.validTo)) return 'unauthenticated';
  if (allow.length === 0) return 'allowed';
  const { subjectAltName } = certificate;
  const names = namesOf({ commonName: certificate.toLegacyObject().subject.CN, subjectAltName });
  return names.some((name) => allow.includes(name)) ? 'allowed' : 'forbidden';
}

/** What of a certificate says whose it is. */
export interface CertificateNames {
  readonly commonName?: unknown;
  /** As Node writes it: kinds and names, with commas between them. */
  readonly subjectAltName?: string | undefined;
}

/** The names that a certificate gives its holder: its one common name, and each DNS name, URI and mail address beside it. */
export function namesOf({ commonName, subjectAltName = '' }: CertificateNames): string[] {
  // A name with something in it that could be taken for the next one stands in quotation marks, as a JSON string.
  const others = [...subjectAltName.matchAll(/(?:^|, )(?:DNS|URI|email):("(?:[^"\\]|\\.)*"|[^,"]*)/g)];
  return [
    ...(typeof commonName === 'string' ? [commonName] : []),
    ...others.map(([, name = '']) => (name.startsWith('"') ? String(JSON.parse(name)) : name)),
  ];
}
