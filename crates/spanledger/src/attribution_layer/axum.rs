//! What only axum knows about a request.

use axum::extract::MatchedPath;

use super::AttributionLayer;

impl AttributionLayer {
    /// Takes the route from the path that axum has matched, such as `/customers/{id}/search`. The layer must be
    /// applied with `Router::layer` or `Router::route_layer`, because a path is matched before these run.
    #[must_use]
    pub fn route_from_matched_path(self) -> Self {
        self.route_from(|request| Some(request.extensions.get::<MatchedPath>()?.as_str().to_owned()))
    }
}
