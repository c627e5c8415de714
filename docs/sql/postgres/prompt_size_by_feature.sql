-- How large are the prompts of each feature: average, 95th percentile and largest?
--
-- The percentile is the smallest prompt such that at least 95 % of the requests have one that is not larger. It is
-- always the size of a real request, and the same in every database; functions such as PERCENTILE_CONT are not.
-- To change: the 95, or group by `e.model` in both places.
--
-- It runs in the tests on PostgreSQL 15. `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/prompt_size_by_feature.sql.
WITH sized AS (
    SELECT
        e.feature AS feature,
        e.prompt_tokens AS prompt_size,
        row_number() OVER (PARTITION BY e.feature ORDER BY e.prompt_tokens) AS place,
        count(*) OVER (PARTITION BY e.feature) AS requests
    FROM openai_events AS e
    WHERE e.prompt_tokens IS NOT NULL
)
SELECT
    s.feature AS feature,
    max(s.requests) AS requests_with_prompt,
    round(avg(s.prompt_size), 2) AS average_tokens,
    min(CASE WHEN s.place * 100 >= s.requests * 95 THEN s.prompt_size END) AS p95_tokens,
    max(s.prompt_size) AS largest_tokens
FROM sized AS s
GROUP BY 1
ORDER BY p95_tokens DESC, 1;
