//! Comparing what was observed, without what the receiver added.

use std::cmp::Ordering;

use super::Observation;

/// Compares these fields in their order. A field that is missing in the list does not compile.
macro_rules! facts {
    ($($field:ident)+) => {
        impl Observation {
            /// Whether both are the same sighting: all that the emitter stated is equal. Their costs may
            /// differ, because the receiver adds the cost.
            pub fn has_same_facts(&self, other: &Self) -> bool {
                let Self { $($field,)+ cost: _ } = self;
                $(*$field == other.$field)&&+
            }

            /// Orders observations by all that the emitter stated.
            pub(crate) fn cmp_facts(&self, other: &Self) -> Ordering {
                Ordering::Equal$(.then_with(|| self.$field.cmp(&other.$field)))+
            }
        }
    };
}

facts! {
    event_id call_id sighting role response emitter provider endpoint server_address model response_model
    service_tier region organization project start end time_to_first_token_ms stream outcome attempts usage
    usage_problem usage_out_of_range usage_unknown usage_source usage_raw emitter_cost prompt_cache_key reasoning_effort
    attribution trace_id span_id parent_span_id service_name truncated
}
