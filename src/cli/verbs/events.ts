import { replies } from '#api/client.ts';
import * as payloads from '#api/gen/containerd/events/events.ts';
import type { Envelope } from '#api/gen/containerd/services/events/v1/events.ts';
import type { Any } from '#api/gen/google/protobuf/any.ts';
import type { Invocation } from '../command.ts';
import { printable } from '../output/table.ts';
import { Session } from '../session.ts';
import { writeLine } from '../shell.ts';

/** Prints what happens from now on, a line for each event, until it is interrupted. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { args, shell } = invocation;
  const { namespace, json } = session;
  const filters = args.length > 0 ? [...args] : namespace === undefined ? [] : [`namespace==${namespace}`];
  for await (const envelope of replies(session.api.events.subscribe({ filters }))) {
    if (namespace !== undefined && envelope.namespace !== namespace) continue;
    await writeLine(shell.stdout, json ? JSON.stringify(eventJson(envelope)) : eventText(envelope));
  }
}

/** An event for programs. */
export function eventJson(envelope: Envelope): object {
  const { timestamp, namespace, topic, event } = envelope;
  return { timestamp: timestamp && timeText(timestamp), namespace, topic, event: payloadOf(event) };
}

/** As `ctr events` has it: time, namespace, topic and payload. */
function eventText(envelope: Envelope): string {
  const { timestamp, namespace, topic, event } = envelope;
  const time = timestamp ? timeText(timestamp) : '-';
  return [time, namespace, topic, JSON.stringify(payloadOf(event))].map(printable).join(' ');
}

interface Decoder {
  decode(bytes: Uint8Array): unknown;
}

/** The payload as an object; of a type that is not known here, its name alone. */
function payloadOf(event: Any | undefined): unknown {
  if (!event) return {};
  const name = /^containerd\.events\.(\w+)$/.exec(event.typeUrl)?.[1] ?? '';
  const decoder = (payloads as Readonly<Record<string, unknown>>)[name];
  return isDecoder(decoder) ? plain(decoder.decode(event.value)) : { type: event.typeUrl };
}

function isDecoder(value: unknown): value is Decoder {
  return typeof value === 'object' && value !== null && 'decode' in value;
}

/** Times as texts, and nothing that says nothing. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if ('seconds' in value && 'nanos' in value) return timeText(value as { seconds: bigint; nanos: number });
  if ('typeUrl' in value) return { type: value.typeUrl };
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== '' && field !== undefined)
      .map(([name, field]) => [name, plain(field)]),
  );
}

/** RFC 3339 with all nine digits. */
function timeText({ seconds, nanos }: { readonly seconds: bigint; readonly nanos: number }): string {
  const date = new Date(Number(seconds) * 1000).toISOString();
  return date.replace('.000Z', `.${String(nanos).padStart(9, '0')}Z`);
}
