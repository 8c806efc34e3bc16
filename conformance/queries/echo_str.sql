-- name: echo_str
-- args: v str
-- result: one str
SELECT $1::text AS "?column?"
