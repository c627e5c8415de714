-- What do retries cost that the provider billed as well?
--
-- A request whose first answer was lost on the way and which was sent again is billed twice. `retry_usd` is the cost of
-- the further answers, and a part of `spend_usd`. `attempts` counts failed ones, too, which usually cost nothing.
-- To change: group by `e.route` or `e.service_name`.
--
-- It runs in the tests on fakesnow, an emulator of Snowflake; it has not met Snowflake. `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/retry_spend.sql.
SELECT
    e.feature AS feature,
    count(*) AS requests,
    sum(e.attempts) AS attempts_made,
    count(e.retry_cost_usd) AS requests_billed_again,
    sum(e.retry_cost_usd) AS retry_usd,
    sum(e.billed_usd) AS spend_usd,
    round(100 * sum(e.retry_cost_usd) / nullif(sum(e.billed_usd), 0), 2) AS retry_percent
FROM openai_events AS e
GROUP BY 1
ORDER BY retry_usd DESC NULLS LAST, 1;
