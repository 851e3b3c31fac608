/** Durable records by key: what is put outlives a loss of power. A port; agent.ts gives it folders of files. */
export interface Records<T> {
  /** Everything that was put and not removed. */
  load(): Promise<readonly T[]>;
  put(key: string, value: T): Promise<void>;
  /** Being gone already is success. */
  remove(key: string): Promise<void>;
}
