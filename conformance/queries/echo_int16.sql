-- name: echo_int16
-- args: v int16
-- result: one int16
SELECT $1::int2 AS "?column?"
