-- name: int64s
-- result: many int64
SELECT column1 AS "?column?" FROM (VALUES ('-9223372036854775808'::int8), ('9223372036854775807'::int8)) v
