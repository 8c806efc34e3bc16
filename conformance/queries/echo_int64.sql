-- name: echo_int64
-- args: v int64
-- result: one int64
SELECT $1::int8 AS "?column?"
