-- name: echo_bool
-- args: v bool
-- result: one bool
SELECT $1::bool AS "?column?"
