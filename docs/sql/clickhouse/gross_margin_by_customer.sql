-- What margin is left of each customer's revenue after the cost of models?
--
-- It needs a table of yours, `customer_revenue`, with one row for each customer and month: `customer_id`, `month` (its
-- first day, a date) and `revenue_usd` (a decimal number). A customer without a row has no margin here.
-- `margin_usd` is an upper bound if `requests_without_cost` is not 0: an unknown cost is not subtracted.
-- To change: the name of your table and of its columns.
--
-- It runs in the tests on the engine of ClickHouse 26.9 (chdb). `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/gross_margin_by_customer.sql.
WITH spend AS (
    SELECT
        toStartOfMonth(toDate(e.timestamp, 'UTC')) AS month,
        e.customer_id AS customer_id,
        sum(e.billed_usd) AS spend_usd,
        count(*) - count(e.billed_usd) AS requests_without_cost
    FROM openai_events AS e
    GROUP BY 1, 2
)
SELECT
    s.month AS month,
    s.customer_id AS customer_id,
    s.spend_usd AS spend_usd,
    r.revenue_usd AS revenue_usd,
    r.revenue_usd - s.spend_usd AS margin_usd,
    round(100 * (r.revenue_usd - s.spend_usd) / nullif(r.revenue_usd, 0), 2) AS margin_percent,
    s.requests_without_cost AS requests_without_cost
FROM spend AS s
LEFT JOIN customer_revenue AS r ON r.customer_id = s.customer_id AND r.month = s.month
ORDER BY 1, 2
SETTINGS join_use_nulls = 1;
