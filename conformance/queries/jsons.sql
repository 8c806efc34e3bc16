-- name: jsons
-- result: many json
SELECT column1 AS "?column?" FROM (VALUES ('{"a": 1, "b": "x"}'::json), ('null'::json)) v
