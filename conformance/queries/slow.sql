-- name: slow
-- args: n int64
-- result: one int64
SELECT $1::int8 * $1::int8 AS "?column?" FROM pg_sleep($1::float8 * $1::float8 / 9000000)
