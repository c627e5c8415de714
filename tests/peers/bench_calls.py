"""A subject of the benchmark of calls: makes the calls that it is asked for, and prints what they took.

    bench_calls.py INSTRUMENTATION RECEIVER

INSTRUMENTATION is `none`, `genai` (opentelemetry-instrumentation-genai-openai) or `openai_v2`
(opentelemetry-instrumentation-openai-v2, its predecessor, which needs an environment of its own).
RECEIVER is the base URL to which spans are exported by OTLP over HTTP.

Each line of standard input is an order: `alone`, the base URL of the provider, the number of calls, and the
number of chunks of each stream or 0. The answer is a line of four numbers of nanoseconds: wall clock, CPU of this
thread, CPU of all threads up to the end of the export, and 0. crates/spanledger/benches/call/order.rs is the other
side.
"""

import importlib
import sys
import time

from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

MODULES = {
    "genai": "opentelemetry.instrumentation.genai.openai",
    "openai_v2": "opentelemetry.instrumentation.openai_v2",
}
MESSAGES = [{"role": "user", "content": "x" * 1_000}]


def instrument(instrumentation: str, receiver: str) -> TracerProvider | None:
    """The set-up that the documentation of the instrumentation shows: spans, a batch processor, OTLP."""
    if instrumentation == "none":
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{receiver}/v1/traces")))
    importlib.import_module(MODULES[instrumentation]).OpenAIInstrumentor().instrument(tracer_provider=provider)
    return provider


def call(client: OpenAI, chunks: int) -> None:
    if not chunks:
        answer = client.chat.completions.create(model="gpt-5.5", messages=MESSAGES)
        assert answer.usage
        return
    stream = client.chat.completions.create(
        model="gpt-5.5", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    assert sum(1 for _ in stream) >= chunks


def main() -> None:
    instrumentation, receiver = sys.argv[1:]
    provider = instrument(instrumentation, receiver)
    clients: dict[str, OpenAI] = {}
    for line in sys.stdin:
        _, url, calls, chunks = line.split()
        if url not in clients:
            clients[url] = OpenAI(api_key="key", base_url=url, max_retries=0)
        client = clients[url]
        before = time.perf_counter_ns(), time.thread_time_ns(), time.process_time_ns()
        for _ in range(int(calls)):
            call(client, int(chunks))
        wall, thread = time.perf_counter_ns() - before[0], time.thread_time_ns() - before[1]
        if provider:
            provider.force_flush()
        print(wall, thread, time.process_time_ns() - before[2], 0, flush=True)


if __name__ == "__main__":
    main()
