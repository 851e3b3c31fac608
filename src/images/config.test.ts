import { describe, expect, it } from 'vitest';
import { MalformedError } from '#errors/errors.ts';
import { parseConfig } from './config.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const parse = (config: unknown) => parseConfig(JSON.stringify(config), 'web:1', platform);

describe("an image's configuration", () => {
  it('says what runs, as whom, where and with what', () => {
    const config = {
      Entrypoint: ['/web'],
      Cmd: ['-v'],
      Env: ['A=1'],
      WorkingDir: '/srv',
      User: '1:2',
      StopSignal: 'SIGINT',
    };
    expect(parse({ ...platform, config })).toEqual({
      ...{ entrypoint: ['/web'], cmd: ['-v'], env: ['A=1'], workingDir: '/srv', user: '1:2', stopSignal: 'SIGINT' },
    });
  });

  it.each([{}, { config: null }, { config: { Entrypoint: null, Cmd: [], Env: null, User: '', WorkingDir: '' } }])(
    'leaves out what %j does not say',
    (config) => expect(parse({ ...platform, ...config })).toEqual({}),
  );

  it('counts as made for this node where it does not say for what', () => {
    expect(parse({ architecture: '', config: { User: 'app' } })).toEqual({ user: 'app' });
  });

  it('is refused when it was made for another platform', () => {
    expect(() => parse({ os: 'linux', architecture: 'arm64' })).toThrow(
      'image web:1 is for linux/arm64; this node runs linux/amd64',
    );
    expect(() => parse({ os: 'windows', architecture: 'amd64' })).toThrow('is for windows/amd64');
  });

  it.each(['', '[]', '{"config":{"Env":"A=1"}}', '{"config":{"Cmd":[1]}}'])('is not %s', (text) => {
    expect(() => parseConfig(text, 'web:1', platform)).toThrow(MalformedError);
  });
});
