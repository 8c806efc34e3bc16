-- name: echo_decimal
-- args: v str
-- result: one str
SELECT $1::text::numeric::text AS "?column?"
