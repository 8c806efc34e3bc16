-- name: nothing
-- result: optional int64
SELECT 1::int8 AS "?column?" WHERE false
