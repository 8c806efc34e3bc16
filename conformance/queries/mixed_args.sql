-- name: mixed_args
-- args: 0 str, name str
-- result: one str
SELECT $1::text || $name::text AS "?column?"
