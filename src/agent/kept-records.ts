import { join } from 'node:path';
import type { Config } from '#config/config.ts';
import { JsonRecords } from '#host/json-records.ts';
import type { Log } from '#log/log.ts';

/** Opens records of one kind. */
export type OpenRecords = <T>(kind: string) => JsonRecords<T>;

/** The agent's records, one folder for each kind below `<root>/records`. What cannot be read is told of and left alone. */
export function keptRecords({ root }: Pick<Config, 'root'>, log: Log): OpenRecords {
  return <T>(kind: string) =>
    new JsonRecords<T>(join(root, 'records', kind), (error) =>
      log.error({ err: error }, 'a record cannot be read; it is left as it is'),
    );
}
