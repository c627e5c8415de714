//! OTLP messages to observations of GenAI calls.
