-- How much of each feature's input comes from a cache?
--
-- Only requests that state their cached tokens are in the rate; `requests_without_statement` says how many do not.
-- To change: group by `e.prompt_cache_key` or `e.model` as well.
--
-- It runs in the tests on the engine of ClickHouse 26.9 (chdb). `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/cache_hit_rate_by_feature.sql.
SELECT
    e.feature AS feature,
    count(*) AS requests,
    count(*) - count(e.cached_tokens) AS requests_without_statement,
    sum(CASE WHEN e.cached_tokens IS NOT NULL THEN e.prompt_tokens END) AS input_tokens,
    sum(e.cached_tokens) AS cached_input_tokens,
    round(
        100.0 * sum(e.cached_tokens)
        / nullif(sum(CASE WHEN e.cached_tokens IS NOT NULL THEN e.prompt_tokens END), 0),
        2
    ) AS cache_hit_percent
FROM openai_events AS e
GROUP BY 1
ORDER BY cache_hit_percent DESC NULLS LAST, 1;
