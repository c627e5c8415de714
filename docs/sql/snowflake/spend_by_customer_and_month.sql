-- What does each customer cost per month?
--
-- `spend_usd` is a lower bound if `requests_without_cost` is not 0: unknown is not zero.
-- Months are UTC. To change: add `WHERE e.environment = 'production'`, or group by `e.feature` as well.
--
-- It runs in the tests on fakesnow, an emulator of Snowflake; it has not met Snowflake. `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/spend_by_customer_and_month.sql.
SELECT
    CAST(DATE_TRUNC('month', CONVERT_TIMEZONE('UTC', e.timestamp)) AS DATE) AS month,
    e.customer_id AS customer_id,
    count(*) AS requests,
    sum(e.prompt_tokens) AS input_tokens,
    sum(e.billed_usd) AS spend_usd,
    count(*) - count(e.billed_usd) AS requests_without_cost
FROM openai_events AS e
GROUP BY 1, 2
ORDER BY 1, spend_usd DESC NULLS LAST, 2;
