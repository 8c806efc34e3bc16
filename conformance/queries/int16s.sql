-- name: int16s
-- result: many int16
SELECT column1 AS "?column?" FROM (VALUES ('-32768'::int2), ('32767'::int2)) v
