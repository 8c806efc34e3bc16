-- name: echo_datetime
-- args: v datetime
-- result: one datetime
SELECT $1::timestamptz AS "?column?"
