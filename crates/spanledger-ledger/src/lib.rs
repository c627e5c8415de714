//! The embedded durable store of cost events.
