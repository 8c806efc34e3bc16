-- name: one
-- result: one int64
SELECT 1::int8 AS "?column?"
