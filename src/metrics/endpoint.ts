import { InvalidArgumentError } from '#errors/errors.ts';

export type MetricsAuth = 'none' | 'mtls' | 'kubernetes' | 'jwt';

/** Where and how the endpoint is offered, as it is set. */
export interface EndpointSettings {
  /** Port 0 takes a free one. */
  readonly address: { readonly host: string; readonly port: number };
  readonly auth: MetricsAuth;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly clientCa?: string | undefined;
  /** Names of clients that may read, where their certificates say who they are; empty lets in all of them. */
  readonly allow?: readonly string[];
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly auth: MetricsAuth;
  readonly allow: readonly string[];
  readonly tls?: TlsFiles;
}

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

/**
 * Checks the settings together: off loopback there must be TLS and authentication. Throws InvalidArgumentError that names the
 * setting.
 */
export function toEndpoint(settings: EndpointSettings): Endpoint {
  const { host, port } = settings.address;
  const tls = toTls(settings);
  const { auth, allow = [] } = settings;
  if (!isLoopback(host)) {
    if (!tls) throw refusal(settings, '--metrics-tls-cert and --metrics-tls-key are needed');
    if (auth === 'none') throw refusal(settings, '--metrics-auth must be mtls, kubernetes or jwt');
  }
  if (auth === 'mtls' && !tls?.clientCa) {
    throw new InvalidArgumentError(
      '--metrics-auth mtls: --metrics-client-ca, --metrics-tls-cert and --metrics-tls-key are needed',
    );
  }
  return { host, port, auth, allow, ...(tls ? { tls } : {}) };
}

function refusal({ address }: EndpointSettings, needed: string): InvalidArgumentError {
  return new InvalidArgumentError(`--metrics-address ${address.host}:${address.port} is not on loopback: ${needed}`);
}

function toTls({ tlsCert, tlsKey, clientCa }: EndpointSettings): TlsFiles | undefined {
  if (!tlsCert && !tlsKey) {
    if (clientCa)
      throw new InvalidArgumentError('--metrics-client-ca: --metrics-tls-cert and --metrics-tls-key are needed');
    return undefined;
  }
  if (!tlsKey) throw new InvalidArgumentError('--metrics-tls-cert: --metrics-tls-key is needed');
  if (!tlsCert) throw new InvalidArgumentError('--metrics-tls-key: --metrics-tls-cert is needed');
  return { cert: tlsCert, key: tlsKey, ...(clientCa ? { clientCa } : {}) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
