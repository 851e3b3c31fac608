import { InvalidArgumentError, ResourceExhaustedError } from '#errors/errors.ts';
import type { EventBus } from '#task/events.ts';
import { parseNamespace } from '#task/ids.ts';
import { eventField } from '../convert/event-field.ts';
import { parseFilters } from '../filters.ts';
import { fromTimestamp, toTimestamp } from '../convert/timestamp.ts';
import type { Envelope, EventsServer } from '../gen/containerd/services/events/v1/events.ts';
import type { Handlers } from '../handler.ts';

/** A subscriber that falls this far behind is let go: it would else hold the events of the whole node in memory. */
const usualLongestQueue = 10_000;

const topicRule = /^(?:\/[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*)+$/;

/** containerd.services.events.v1.Events: whoever subscribes hears what happens from then on, in every namespace. */
export function eventsService(
  handlers: Handlers,
  bus: EventBus<Envelope>,
  longestQueue = usualLongestQueue,
): EventsServer {
  return {
    publish: handlers.change('publish', async ({ topic, event }, call) => {
      const envelope = { timestamp: toTimestamp(Date.now()), namespace: call.namespace(), topic, event };
      checkTopic(topic);
      bus.publish(envelope);
      return await Promise.resolve({});
    }),
    forward: handlers.change('forward', async ({ envelope }) => {
      if (!envelope) throw new InvalidArgumentError('envelope is missing: invalid argument');
      parseNamespace(envelope.namespace);
      checkTopic(envelope.topic);
      if (fromTimestamp(envelope.timestamp) === undefined) {
        throw new InvalidArgumentError('timestamp must be set on forwarded event: invalid argument');
      }
      bus.publish(envelope);
      return await Promise.resolve({});
    }),
    subscribe: handlers.stream(undefined, async ({ filters }, call, send) => {
      const matches = parseFilters(filters);
      const queue: Envelope[] = [];
      const behind = Promise.withResolvers<never>();
      behind.promise.catch(() => {}); // nobody may be waiting when the client goes
      let wake = Promise.withResolvers<void>();
      using _subscription = bus.subscribe((envelope) => {
        if (!matches(fieldOf(envelope))) return;
        if (queue.length < longestQueue) queue.push(envelope);
        else
          behind.reject(new ResourceExhaustedError(`the subscriber is ${longestQueue} events behind: subscribe again`));
        wake.resolve();
      });
      call.begin();
      call.signal.addEventListener('abort', () => wake.resolve(), { once: true });
      while (!call.signal.aborted) {
        for (let next = queue.shift(); next; next = queue.shift()) await Promise.race([send(next), behind.promise]);
        await Promise.race([wake.promise, behind.promise]);
        wake = Promise.withResolvers();
      }
    }),
  };
}

function checkTopic(topic: string): void {
  if (topicRule.test(topic)) return;
  const rule = topic.startsWith('/') ? `must match ${topicRule.source}` : "must start with '/'";
  throw new InvalidArgumentError(`envelope topic "${topic}": ${rule}: invalid argument`);
}

/** What a filter may ask of an envelope; its payload is read only when a filter asks for a field of it. */
function fieldOf(envelope: Envelope): (path: readonly string[]) => string | undefined {
  return ([name, ...rest]) => {
    if (name === 'event') return eventField(envelope.event, rest);
    if (rest.length > 0) return undefined;
    return name === 'namespace' || name === 'topic' ? envelope[name] : undefined;
  };
}
