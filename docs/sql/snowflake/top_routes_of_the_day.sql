-- Which routes cost most on the latest day that has events?
--
-- `spend_usd` is a lower bound if `requests_without_cost` is not 0: unknown is not zero.
-- Days are UTC. To change: write a day in the place of the inner query, and another number behind LIMIT.
--
-- It runs in the tests on fakesnow, an emulator of Snowflake; it has not met Snowflake. `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/top_routes_of_the_day.sql.
SELECT
    e.route AS route,
    e.feature AS feature,
    count(*) AS requests,
    sum(e.billed_usd) AS spend_usd,
    count(*) - count(e.billed_usd) AS requests_without_cost
FROM openai_events AS e
WHERE CAST(CONVERT_TIMEZONE('UTC', e.timestamp) AS DATE) = (SELECT max(CAST(CONVERT_TIMEZONE('UTC', e.timestamp) AS DATE)) FROM openai_events AS e)
GROUP BY 1, 2
ORDER BY spend_usd DESC NULLS LAST, 1, 2
LIMIT 10;
