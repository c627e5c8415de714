-- Which features spent more in an hour than usual?
--
-- It compares each hour of the latest day that has events with the feature's average hour in the seven days before that
-- hour. An hour without a request counts as an hour without spend. `times_usual` is null if the feature had no spend in
-- those days. Hours are UTC. Requests without a cost are not in either amount.
-- To change: add `HAVING` with a factor, such as 3, to see only the hours that exceed it; 168 is the hours of seven days.
--
-- It runs in the tests on the engine of ClickHouse 26.9 (chdb). `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/hourly_spend_against_baseline.sql.
WITH hourly AS (
    SELECT
        e.feature AS feature,
        toStartOfHour(toDateTime(e.timestamp, 'UTC')) AS hour,
        intDiv(toUnixTimestamp(toDateTime(e.timestamp, 'UTC')), 3600) AS hour_number,
        toDate(e.timestamp, 'UTC') AS day,
        sum(e.billed_usd) AS spend
    FROM openai_events AS e
    GROUP BY 1, 2, 3, 4
),
latest AS (
    SELECT h.feature AS feature, h.hour AS hour, h.hour_number AS hour_number, h.spend AS spend
    FROM hourly AS h
    WHERE h.day = (SELECT max(i.day) FROM hourly AS i)
),
compared AS (
    SELECT
        n.feature AS feature,
        n.hour AS hour,
        max(n.spend) AS spend,
        sum(
            CASE WHEN b.hour_number >= n.hour_number - 168 AND b.hour_number < n.hour_number THEN b.spend END
        ) AS week_spend
    FROM latest AS n
    JOIN hourly AS b ON b.feature = n.feature
    GROUP BY 1, 2
)
SELECT
    c.feature AS feature,
    c.hour AS hour,
    c.spend AS spend_usd,
    round(coalesce(c.week_spend, 0) / 168, 8) AS usual_spend_usd,
    round(168 * c.spend / nullif(c.week_spend, 0), 2) AS times_usual
FROM compared AS c
ORDER BY 1, 2;
