-- name: echo_local_date
-- args: v local_date
-- result: one local_date
SELECT $1::date AS "?column?"
