-- What does more reasoning cost, by model and effort?
--
-- `cost_per_request_usd` is the average of `cost_usd` over the requests that have a price. The effort is `not stated` if
-- the request did not ask for one.
-- To change: add `WHERE e.feature = 'search'`, or group by `e.feature` as well.
--
-- It runs in the tests on the engine of ClickHouse 26.9 (chdb). `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/reasoning_effort_and_cost.sql.
SELECT
    e.response_model AS answering_model,
    coalesce(e.reasoning_effort, 'not stated') AS effort,
    count(*) AS requests,
    round(avg(e.reasoning_tokens), 2) AS average_reasoning_tokens,
    round(avg(e.latency_ms), 2) AS average_latency_ms,
    round(sum(e.cost_usd) / nullif(count(e.cost_usd), 0), 8) AS cost_per_request_usd,
    count(*) - count(e.cost_usd) AS requests_without_cost
FROM openai_events AS e
WHERE e.response_model IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 2;
