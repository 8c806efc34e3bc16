-- name: echo_float32
-- args: v float32
-- result: one float32
SELECT $1::float4 AS "?column?"
