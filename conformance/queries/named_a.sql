-- name: named_a
-- named: a str
-- result: one str
SELECT $a::text AS "?column?"
