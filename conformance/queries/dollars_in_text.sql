-- name: dollars_in_text
-- named: a str
-- result: one str
SELECT $a::text -- $b
 || '$c' AS "?column?"
