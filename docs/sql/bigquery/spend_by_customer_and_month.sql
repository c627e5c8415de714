-- What does each customer cost per month?
--
-- `spend_usd` is a lower bound if `requests_without_cost` is not 0: unknown is not zero.
-- Months are UTC. To change: add `WHERE e.environment = 'production'`, or group by `e.feature` as well.
--
-- In the tests, sqlglot parses it as GoogleSQL, translates it, and DuckDB runs it; it has not met BigQuery. `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/spend_by_customer_and_month.sql.
SELECT
    DATE_TRUNC(DATE(e.timestamp), MONTH) AS month,
    e.customer_id AS customer_id,
    count(*) AS requests,
    sum(e.prompt_tokens) AS input_tokens,
    sum(e.billed_usd) AS spend_usd,
    count(*) - count(e.billed_usd) AS requests_without_cost
FROM openai_events AS e
GROUP BY 1, 2
ORDER BY 1, spend_usd DESC NULLS LAST, 2;
