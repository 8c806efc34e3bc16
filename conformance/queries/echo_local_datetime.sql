-- name: echo_local_datetime
-- args: v local_datetime
-- result: one local_datetime
SELECT $1::timestamp AS "?column?"
