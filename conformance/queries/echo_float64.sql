-- name: echo_float64
-- args: v float64
-- result: one float64
SELECT $1::float8 AS "?column?"
