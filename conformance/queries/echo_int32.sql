-- name: echo_int32
-- args: v int32
-- result: one int32
SELECT $1::int4 AS "?column?"
