import type { Shell } from '../shell.ts';

/** The end of a transmission, which a terminal turns into the end of input for who reads a line. */
export const endOfTransmission = Uint8Array.of(4);

/** Where input goes. */
export interface InputSink {
  /** Resolves when more may come. */
  data(chunk: Uint8Array): Promise<void>;
  end(): void;
}

/** Hands on what comes on stdin until disposed of; it reads no faster than the sink takes. */
export function readInput(stdin: Shell['stdin'], sink: InputSink): Disposable {
  const onData = (chunk: Uint8Array | string) => {
    stdin.pause();
    void sink.data(typeof chunk === 'string' ? Buffer.from(chunk) : chunk).finally(() => {
      if (!over) stdin.resume();
    });
  };
  const onEnd = () => sink.end();
  let over = false;
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  stdin.on('error', onEnd); // a terminal that has gone
  return {
    [Symbol.dispose]: () => {
      over = true;
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      stdin.pause();
      // A pipe whose other end stays open would keep the program from ending.
      if (!stdin.isTTY) stdin.destroy();
    },
  };
}

/** Takes the terminal's keys one by one and unseen, until disposed of. Nothing where stdin is no terminal. */
export function rawMode(stdin: Shell['stdin']): Disposable {
  if (!stdin.isTTY) return { [Symbol.dispose]: () => {} };
  stdin.setRawMode?.(true);
  return { [Symbol.dispose]: () => void stdin.setRawMode?.(false) };
}
