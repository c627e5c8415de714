-- What does each feature cost per day, with its requests, tokens, latency and cache hits?
--
-- `spend_usd` is the amount on the provider's invoice, retries included. It is a lower bound if `requests_without_cost`
-- is not 0: the cost of those requests is unknown, and unknown is not zero.
-- `cache_hit_percent` is the share of the input that came from a cache, among the requests that state their cached tokens.
-- Days are UTC. To change: add `WHERE e.environment = 'production'`, or group by `e.route` as well.
--
-- In the tests, sqlglot parses it as GoogleSQL, translates it, and DuckDB runs it; it has not met BigQuery. `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/spend_by_feature_and_day.sql.
SELECT
    DATE(e.timestamp) AS day,
    e.feature AS feature,
    count(*) AS requests,
    sum(e.prompt_tokens) AS input_tokens,
    sum(e.completion_tokens) + coalesce(sum(e.reasoning_tokens), 0) AS output_tokens,
    round(avg(e.latency_ms), 2) AS average_latency_ms,
    round(
        100.0 * sum(e.cached_tokens)
        / nullif(sum(CASE WHEN e.cached_tokens IS NOT NULL THEN e.prompt_tokens END), 0),
        2
    ) AS cache_hit_percent,
    sum(e.billed_usd) AS spend_usd,
    count(*) - count(e.billed_usd) AS requests_without_cost
FROM openai_events AS e
GROUP BY 1, 2
ORDER BY 1, 2;
