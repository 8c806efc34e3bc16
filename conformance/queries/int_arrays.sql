-- name: int_arrays
-- result: many array<int64>
SELECT column1 AS "?column?" FROM (VALUES (ARRAY[1, 2, 3]::int8[]), ('{}')) v
