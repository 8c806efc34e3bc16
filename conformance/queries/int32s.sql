-- name: int32s
-- result: many int32
SELECT column1 AS "?column?" FROM (VALUES ('-2147483648'::int4), ('2147483647'::int4)) v
