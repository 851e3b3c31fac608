/** What a call throws; undefined when it returns. For properties: a parser returns or throws its own error. */
export function thrownBy(call: () => unknown): unknown {
  try {
    call();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Whether nothing was thrown, or an error of this class. */
export function isNothingOr(errorClass: new (message: string) => Error): (thrown: unknown) => boolean {
  return (thrown) => thrown === undefined || thrown instanceof errorClass;
}
