/** A stretch of work that a trace shows. Whoever starts it ends it. */
export interface TraceSpan {
  setAttribute(name: string, value: string | number): void;
  /** `error` marks the span as failed. */
  end(error?: unknown): void;
}

/** Hooks for request tracing. The default does nothing and costs nothing. */
export interface Tracer {
  /** `headers` may carry the caller's trace (`traceparent`). */
  startRequest(name: string, headers: Readonly<Record<string, string | undefined>>): TraceSpan;
}

const NO_SPAN: TraceSpan = { setAttribute() {}, end() {} };

export const noTracer: Tracer = { startRequest: () => NO_SPAN };

/** The part of `@opentelemetry/api` that is used here. */
interface OpenTelemetryApi {
  readonly SpanStatusCode: { readonly ERROR: number };
  readonly context: { active(): unknown };
  readonly propagation: { extract(context: unknown, carrier: unknown): unknown };
  readonly trace: {
    getTracer(name: string): {
      startSpan(
        name: string,
        options: { kind: number },
        context: unknown,
      ): {
        setAttribute(name: string, value: string | number): void;
        setStatus(status: { code: number; message: string }): void;
        end(): void;
      };
    };
  };
}

const KIND_SERVER = 1;

/**
 * Spans through OpenTelemetry's API, which a user installs and sets up (for example with `node --import` and the SDK).
 * Rejects, saying what to install, when the package is not there.
 */
export async function openTelemetryTracer(packageName = '@opentelemetry/api'): Promise<Tracer> {
  let api: OpenTelemetryApi;
  try {
    api = (await import(packageName)) as OpenTelemetryApi;
  } catch (cause) {
    throw new Error(`tracing.enabled needs the package ${packageName}: npm install ${packageName}`, {
      cause,
    });
  }
  const tracer = api.trace.getTracer('verona');
  return {
    startRequest(name, headers) {
      const parent = api.propagation.extract(api.context.active(), headers);
      const span = tracer.startSpan(name, { kind: KIND_SERVER }, parent);
      return {
        setAttribute: (key, value) => span.setAttribute(key, value),
        end(error) {
          if (error !== undefined)
            span.setStatus({
              code: api.SpanStatusCode.ERROR,
              message: error instanceof Error ? error.message : String(error),
            });
          span.end();
        },
      };
    },
  };
}
