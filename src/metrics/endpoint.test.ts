import { describe, expect, it } from 'vitest';
import { toEndpoint, type EndpointSettings } from './endpoint.ts';

function at(host: string): EndpointSettings['address'] {
  return { host, port: 9620 };
}

const tls = { tlsCert: '/c', tlsKey: '/k' };

describe('toEndpoint', () => {
  it.each<EndpointSettings>([
    { address: at('127.0.0.1'), auth: 'none' },
    { address: at('localhost'), auth: 'none' },
    { address: at('::1'), auth: 'none' },
    { address: at('127.5.5.5'), auth: 'kubernetes' },
    { address: at('::'), auth: 'kubernetes', ...tls },
    { address: at('10.0.0.1'), auth: 'jwt', ...tls },
    { address: at('10.0.0.1'), auth: 'mtls', ...tls, clientCa: '/ca' },
  ])('takes $address.host with $auth', (settings) => {
    expect(toEndpoint(settings).auth).toBe(settings.auth);
  });

  it.each<[EndpointSettings, string]>([
    [{ address: at('0.0.0.0'), auth: 'none' }, '--metrics-tls-cert and --metrics-tls-key are needed'],
    [{ address: at('::'), auth: 'kubernetes' }, '--metrics-tls-cert and --metrics-tls-key are needed'],
    [{ address: at('10.0.0.1'), auth: 'none', ...tls }, '--metrics-auth must be'],
    [{ address: at('10.0.0.1'), auth: 'mtls', ...tls }, '--metrics-client-ca'],
    [{ address: at('127.0.0.1.example'), auth: 'none' }, 'not on loopback'],
    [{ address: at('127.0.0.1'), auth: 'none', tlsCert: '/c' }, '--metrics-tls-key is needed'],
    [{ address: at('127.0.0.1'), auth: 'none', tlsKey: '/k' }, '--metrics-tls-cert is needed'],
    [{ address: at('127.0.0.1'), auth: 'none', clientCa: '/ca' }, '--metrics-client-ca'],
  ])('refuses %o', (settings, text) => {
    expect(() => toEndpoint(settings)).toThrow(text);
  });
});
