-- name: numbers
-- args: n int64
-- result: many int64
SELECT i AS "?column?" FROM generate_series(0::int8, $1::int8 - 1) i
