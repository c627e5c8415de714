-- Which routes cost most on the latest day that has events?
--
-- `spend_usd` is a lower bound if `requests_without_cost` is not 0: unknown is not zero.
-- Days are UTC. To change: write a day in the place of the inner query, and another number behind LIMIT.
--
-- It runs in the tests on a ledger. Amounts are floats here; docs/ledger.md shows exact sums. `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/top_routes_of_the_day.sql.
SELECT
    e.route AS route,
    e.feature AS feature,
    count(*) AS requests,
    sum(e.billed_usd) AS spend_usd,
    count(*) - count(e.billed_usd) AS requests_without_cost
FROM (SELECT * FROM openai_events WHERE state = 'live') AS e
WHERE date(e.timestamp) = (SELECT max(date(e.timestamp)) FROM (SELECT * FROM openai_events WHERE state = 'live') AS e)
GROUP BY 1, 2
ORDER BY spend_usd DESC NULLS LAST, 1, 2
LIMIT 10;
