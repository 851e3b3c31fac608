import { NotFoundError } from '#errors/errors.ts';
import { HealthCheckResponse_ServingStatus as Serving, type HealthServer } from '../gen/grpc/health/v1/health.ts';
import type { Call, Handlers } from '../handler.ts';

/**
 * grpc.health.v1.Health. The socket is opened when recovery is done, so whoever gets an answer is served; a watch hears
 * nothing more until the server ends it.
 */
export function healthService(handlers: Handlers, services: ReadonlySet<string>): HealthServer {
  const known = (service: string) => service === '' || services.has(service);
  return {
    check: handlers.read(({ service }) => {
      if (!known(service)) throw new NotFoundError(`unknown service ${service}`);
      return { status: Serving.SERVING };
    }),
    watch: handlers.stream(undefined, async ({ service }, call, send) => {
      await send({ status: known(service) ? Serving.SERVING : Serving.SERVICE_UNKNOWN });
      await gone(call);
    }),
  };
}

async function gone({ signal }: Call): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
