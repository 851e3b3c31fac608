import { formatLabel } from './exposition.ts';

/** Bounds the label texts kept of one family: device and interface names may come and go for ever. */
const keptLabels = 2_000;

/** The bytes of a row's own labels up to the value, such as `,op="read"} `, found by one value after the other. */
export class LabelBytes {
  readonly #names: readonly string[];
  #root: LabelNode = labelNode('');
  #kept = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  of(values: readonly string[]): Buffer {
    let node = this.#root;
    let at = 0;
    for (const value of values) {
      node = node.next.get(value) ?? this.#grow(node, at, value);
      at += 1;
    }
    return node.bytes;
  }

  #grow(node: LabelNode, at: number, value: string): LabelNode {
    if (this.#kept >= keptLabels) {
      this.#root = labelNode('');
      this.#kept = 0;
    }
    const grown = labelNode(`${node.text},${formatLabel(this.#names[at] ?? '', value)}`);
    node.next.set(value, grown);
    this.#kept += 1;
    return grown;
  }
}

interface LabelNode {
  readonly text: string;
  readonly bytes: Buffer;
  readonly next: Map<string, LabelNode>;
}

function labelNode(text: string): LabelNode {
  return { text, bytes: Buffer.from(`${text}} `), next: new Map() };
}
