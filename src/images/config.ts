import * as z from 'zod';
import { MalformedError } from '#errors/errors.ts';
import type { ImageConfig } from './images.ts';
import { wrongPlatform } from './manifest.ts';
import type { Platform } from './manifest.ts';

/** Go writes empty lists and texts as null or leaves them out. */
const texts = z.array(z.string()).nullish();
const text = z.string().nullish();
const configSchema = z.object({
  architecture: text,
  os: text,
  config: z
    .object({ Entrypoint: texts, Cmd: texts, Env: texts, WorkingDir: text, User: text, StopSignal: text })
    .nullish(),
});

/**
 * What an image's configuration (OCI image-spec 1.1, config.md) says about its process. Throws MalformedError, and
 * TerminalError (`WrongPlatform`) when it was made for another platform.
 */
export function parseConfig(json: string, of: string, platform: Platform): ImageConfig {
  const config = read(json, of);
  const architecture = config.architecture || platform.architecture;
  const os = config.os || platform.os;
  if (architecture !== platform.architecture || os !== platform.os) {
    throw wrongPlatform(of, platform, `${os}/${architecture}`);
  }
  return toImageConfig(config.config ?? {});
}

function toImageConfig(config: NonNullable<z.output<typeof configSchema>['config']>): ImageConfig {
  const named: { readonly [K in keyof ImageConfig]-?: ImageConfig[K] | null | undefined } = {
    entrypoint: config.Entrypoint,
    cmd: config.Cmd,
    env: config.Env,
    workingDir: config.WorkingDir,
    user: config.User,
    stopSignal: config.StopSignal,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value?.length));
}

function read(json: string, of: string): z.output<typeof configSchema> {
  try {
    return configSchema.parse(JSON.parse(json));
  } catch (error) {
    throw new MalformedError(`the configuration of image ${of} does not follow its format`, { cause: error });
  }
}
