-- Which routes cost most on the latest day that has events?
--
-- `spend_usd` is a lower bound if `requests_without_cost` is not 0: unknown is not zero.
-- Days are UTC. To change: write a day in the place of the inner query, and another number behind LIMIT.
SELECT
    e.route AS route,
    e.feature AS feature,
    count(*) AS requests,
    sum(e.billed_usd) AS spend_usd,
    count(*) - count(e.billed_usd) AS requests_without_cost
FROM {{live}} AS e
WHERE {{day}} = (SELECT max({{day}}) FROM {{live}} AS e)
GROUP BY 1, 2
ORDER BY spend_usd DESC NULLS LAST, 1, 2
LIMIT 10;
