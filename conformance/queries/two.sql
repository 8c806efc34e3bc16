-- name: two
-- result: one int64
SELECT 1::int8 + 1 AS "?column?"
