-- name: echo_local_time
-- args: v local_time
-- result: one local_time
SELECT $1::time AS "?column?"
