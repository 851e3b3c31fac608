import { join } from 'node:path';
import { errorMessage, FailedPreconditionError, UnavailableError } from '#errors/errors.ts';
import { readText } from '#host/files.ts';

/** A text that stands in a configuration, or the file to read it from each time: what rotates is a file. */
export type Material = { readonly text: string } | { readonly file: string };

/** Where an API server is and who we are to it. */
export interface ClusterAccess {
  /** Base of every URL, without a slash at its end. */
  readonly server: string;
  /** Of whoever signed the server's certificate; absent: the authorities that Node knows. */
  readonly ca?: Material;
  /** The name that the server's certificate must have when it is not the host of `server`. */
  readonly serverName?: string;
  /** Whether the server's certificate is not looked at at all. */
  readonly insecure: boolean;
  readonly clientCertificate?: { readonly cert: Material; readonly key: Material };
  readonly token?: Material;
}

/** What a connection is made with. */
export interface TlsSettings {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The access that Kubernetes gives every pod. Throws FailedPreconditionError outside of one. */
export function inClusterAccess(
  environment: Readonly<Record<string, string | undefined>>,
  folder = serviceAccountFolder,
): ClusterAccess {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'];
  if (!host || !port) {
    throw new FailedPreconditionError(
      'this is no pod (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set): name a file with --kubeconfig',
    );
  }
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: { file: join(folder, 'ca.crt') },
    token: { file: join(folder, 'token') },
    insecure: false,
  };
}

/** Reads what stands in files as it is now. Throws UnavailableError: while a volume is renewed a file may be missing. */
export async function readTlsSettings(access: ClusterAccess): Promise<TlsSettings> {
  const { ca, clientCertificate, serverName, insecure } = access;
  return {
    ...(ca ? { ca: await readMaterial(ca) } : {}),
    ...(clientCertificate
      ? { cert: await readMaterial(clientCertificate.cert), key: await readMaterial(clientCertificate.key) }
      : {}),
    ...(serverName ? { servername: serverName } : {}),
    rejectUnauthorized: !insecure,
  };
}

/** Reads a token or certificate as it is now. Throws UnavailableError. */
export async function readMaterial(material: Material): Promise<string> {
  if ('text' in material) return material.text;
  const text = await readText(material.file).catch((error: unknown) => {
    throw new UnavailableError(`cannot read ${material.file}: ${errorMessage(error)}`, { cause: error });
  });
  if (!text?.trim()) throw new UnavailableError(`cannot read ${material.file}: there is nothing in it`);
  return text;
}
