"""A service that uses openai and OpenTelemetry as their documentation says, without Spanledger.

It simulates one request, `POST /checkout`, makes six OpenAI calls in it, and sends
the spans over OTLP. Then it prints one line of JSON with what the provider
answered; the test compares it with the cost events:

    {"service": ..., "environment": ..., "attribution": {...}, "trace_id": ...,
     "calls": [{"name": ..., "request_model": ..., "response_id": ...,
                "model": ..., "usage": {...} or null, "error": {...} or null}]}

Exit codes: 0 if every span was accepted; 1 if a call did not end as expected
or an export failed; 2 for wrong arguments.
"""

import argparse
import json
import os
import sys

import grpc
from openai import APIStatusError, OpenAI
from opentelemetry import baggage, context, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.processor.baggage import BaggageSpanProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

SERVICE = "checkout-api"
ENVIRONMENT = "staging"
CHAT_MODEL = "gpt-5.5"
EMBEDDING_MODEL = "text-embedding-3-small"
FAILING_MODEL = "fail-400"

# The attribution of the calls. The environment is a property of the deployment, so
# it is an attribute of the resource instead.
ATTRIBUTION = {
    "spanledger.feature": "checkout-assistant",
    "spanledger.customer_id": "cust-4711",
    "spanledger.route": "POST /checkout",
}
MESSAGES = [{"role": "user", "content": "Which delivery options does this basket have?"}]


class WatchedExporter(SpanExporter):
    """Remembers that an export failed, which the batch processor only logs."""

    def __init__(self, inner: SpanExporter) -> None:
        self.inner = inner
        self.exported = 0
        self.failed = 0

    def export(self, spans):
        result = SpanExportResult.FAILURE
        try:
            result = self.inner.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self.exported += len(spans)
            else:
                self.failed += len(spans)
        return result

    def force_flush(self, timeout_millis=30_000):
        return self.inner.force_flush(timeout_millis)

    def shutdown(self):
        self.inner.shutdown()


def exporter_for(protocol: str, endpoint: str) -> SpanExporter:
    """Sends gRPC uncompressed and HTTP with gzip, so that the tests cover both."""
    if protocol == "grpc":
        return GrpcSpanExporter(
            endpoint=endpoint,
            insecure=not endpoint.startswith("https://"),
            compression=grpc.Compression.NoCompression,
        )
    # The exporter does not add the path of the signal to a URL that is given in code.
    return HttpSpanExporter(
        endpoint=endpoint.rstrip("/") + "/v1/traces", compression=Compression.Gzip
    )


def unary_chat(client: OpenAI):
    answer = client.chat.completions.create(model=CHAT_MODEL, messages=MESSAGES)
    return answer.id, answer.model, answer.usage


def streamed_chat(client: OpenAI, **options):
    answer = client.chat.completions.create(
        model=CHAT_MODEL, messages=MESSAGES, stream=True, **options
    )
    response_id = model = usage = None
    for chunk in answer:
        response_id, model = chunk.id, chunk.model
        usage = chunk.usage or usage
    return response_id, model, usage


def responses(client: OpenAI):
    answer = client.responses.create(model=CHAT_MODEL, input=MESSAGES[0]["content"])
    return answer.id, answer.model, answer.usage


def embeddings(client: OpenAI):
    answer = client.embeddings.create(model=EMBEDDING_MODEL, input="express delivery")
    return None, answer.model, answer.usage  # an embedding has no id


def failing_chat(client: OpenAI):
    client.chat.completions.create(model=FAILING_MODEL, messages=MESSAGES)
    raise RuntimeError(f"the provider answered a call to {FAILING_MODEL}")


CALLS = [
    ("chat", CHAT_MODEL, unary_chat),
    (
        "chat_stream_usage",
        CHAT_MODEL,
        lambda client: streamed_chat(client, stream_options={"include_usage": True}),
    ),
    ("chat_stream", CHAT_MODEL, streamed_chat),
    ("responses", CHAT_MODEL, responses),
    ("embeddings", EMBEDDING_MODEL, embeddings),
    ("chat_failing", FAILING_MODEL, failing_chat),
]


def make_call(name: str, request_model: str, call, client: OpenAI) -> dict:
    result = {
        "name": name,
        "trace_id": trace.format_trace_id(
            trace.get_current_span().get_span_context().trace_id
        ),
        "request_model": request_model,
        "response_id": None,
        "model": None,
        "usage": None,
        "error": None,
    }
    try:
        result["response_id"], result["model"], usage = call(client)
    except APIStatusError as error:
        if request_model != FAILING_MODEL:
            raise
        result["error"] = {"status": error.status_code, "type": type(error).__name__}
    else:
        # Without `exclude_unset`, a field that the provider did not send would be null.
        result["usage"] = usage and usage.model_dump(exclude_unset=True)
    return result


def serve_checkout(tracer: trace.Tracer, client: OpenAI) -> dict:
    scope = context.get_current()
    for key, value in ATTRIBUTION.items():
        scope = baggage.set_baggage(key, value, scope)
    token = context.attach(scope)
    try:
        with tracer.start_as_current_span(
            "POST /checkout",
            kind=trace.SpanKind.SERVER,
            attributes={
                "http.request.method": "POST",
                "http.route": "/checkout",
                "url.path": "/checkout",
                "url.scheme": "https",
                "server.address": "shop.example.com",
            },
        ) as span:
            calls = [make_call(*call, client) for call in CALLS]
            span.set_attribute("http.response.status_code", 200)
            trace_id = trace.format_trace_id(span.get_span_context().trace_id)
    finally:
        context.detach(token)
    return {
        "service": SERVICE,
        "environment": ENVIRONMENT,
        "attribution": ATTRIBUTION,
        "trace_id": trace_id,
        "calls": calls,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, variable, more in [
        ("--protocol", "OTEL_EXPORTER_OTLP_PROTOCOL", {"choices": ["grpc", "http/protobuf"]}),
        ("--otlp-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", {"metavar": "URL"}),
        ("--provider-base-url", "OPENAI_BASE_URL", {"metavar": "URL"}),
    ]:
        default = os.environ.get(variable)
        parser.add_argument(
            name, default=default, required=default is None, help=f"or {variable}", **more
        )
    parsed = parser.parse_args()
    if parsed.protocol not in ("grpc", "http/protobuf"):  # choices ignore a default
        parser.error(f"unknown protocol {parsed.protocol!r}")
    return parsed


def main() -> int:
    options = arguments()
    exporter = WatchedExporter(exporter_for(options.protocol, options.otlp_endpoint))
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": SERVICE,
                "service.version": "1.4.2",
                "deployment.environment.name": ENVIRONMENT,
            }
        )
    )
    # Baggage can hold anything that a caller sent, so only these keys are copied to spans.
    provider.add_span_processor(BaggageSpanProcessor(ATTRIBUTION.__contains__))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)

    with OpenAI(
        api_key=os.environ.get("OPENAI_API_KEY", "sk-not-a-key"),
        base_url=options.provider_base_url,
        max_retries=0,
        timeout=20,
    ) as client:
        try:
            summary = serve_checkout(trace.get_tracer("checkout"), client)
        finally:
            flushed = provider.force_flush()
            provider.shutdown()

    expected = len(CALLS) + 1
    if not flushed or exporter.failed or exporter.exported != expected:
        print(
            f"export failed: {exporter.exported} of {expected} spans accepted, "
            f"{exporter.failed} refused, flushed: {flushed}",
            file=sys.stderr,
        )
        return 1
    print(json.dumps(summary, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
