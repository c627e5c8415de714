//! Where cost events go: the sink contract, its conformance suite and the sinks.
