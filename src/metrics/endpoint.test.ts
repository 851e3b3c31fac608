import { describe, expect, it } from 'vitest';
import { toEndpoint, type EndpointSettings } from './endpoint.ts';

const tls = { tlsCert: '/c', tlsKey: '/k' };

describe('toEndpoint', () => {
  it.each<EndpointSettings>([
    { address: '127.0.0.1:9620', auth: 'none' },
    { address: 'localhost:0', auth: 'none' },
    { address: '[::1]:9620', auth: 'none' },
    { address: '127.5.5.5:9620', auth: 'kubernetes' },
    { address: ':9620', auth: 'kubernetes', ...tls },
    { address: '10.0.0.1:9620', auth: 'jwt', ...tls },
    { address: '10.0.0.1:9620', auth: 'mtls', ...tls, clientCa: '/ca' },
  ])('takes $address with $auth', (settings) => {
    expect(toEndpoint(settings).auth).toBe(settings.auth);
  });

  it.each<[EndpointSettings, string]>([
    [{ address: '0.0.0.0:9620', auth: 'none' }, '--metrics-tls-cert and --metrics-tls-key are needed'],
    [{ address: ':9620', auth: 'kubernetes' }, '--metrics-tls-cert and --metrics-tls-key are needed'],
    [{ address: '10.0.0.1:9620', auth: 'none', ...tls }, '--metrics-auth must be'],
    [{ address: '10.0.0.1:9620', auth: 'mtls', ...tls }, '--metrics-client-ca'],
    [{ address: '127.0.0.1.example:9620', auth: 'none' }, 'not on loopback'],
    [{ address: '127.0.0.1:9620', auth: 'none', tlsCert: '/c' }, '--metrics-tls-key is needed'],
    [{ address: '127.0.0.1:9620', auth: 'none', tlsKey: '/k' }, '--metrics-tls-cert is needed'],
    [{ address: '127.0.0.1:9620', auth: 'none', clientCa: '/ca' }, '--metrics-client-ca'],
    [{ address: '9620', auth: 'none' }, 'not host:port'],
    [{ address: '127.0.0.1:99999', auth: 'none' }, 'not host:port'],
  ])('refuses %o', (settings, text) => {
    expect(() => toEndpoint(settings)).toThrow(text);
  });
});
