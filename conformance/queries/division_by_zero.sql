-- name: division_by_zero
-- result: one float64
SELECT 1::float8 / 0 AS "?column?"
