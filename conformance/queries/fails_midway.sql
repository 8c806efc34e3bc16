-- name: fails_midway
-- args: n int64
-- result: many int64
SELECT 1 / (500 - i) AS "?column?" FROM generate_series(0::int8, $1::int8 - 1) i
