-- name: float64s
-- result: many float64
SELECT column1 AS "?column?" FROM (VALUES ('1.5'::float8), ('inf'::float8), ('nan'::float8)) v
