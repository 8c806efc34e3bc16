-- name: two_of_them
-- result: many int64
SELECT column1 AS "?column?" FROM (VALUES (1::int8), (2)) v
