-- name: echo_bigint
-- args: v bigint
-- result: one bigint
SELECT $1::numeric AS "?column?"
