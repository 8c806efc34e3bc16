-- name: bools
-- result: many bool
SELECT column1 AS "?column?" FROM (VALUES (true), (false)) v
