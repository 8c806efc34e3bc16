-- name: echo_duration
-- args: v duration
-- result: one duration
SELECT $1::interval AS "?column?"
