-- name: bigints
-- result: many bigint
SELECT column1 AS "?column?" FROM (VALUES ('-123456789012345678901234567890'::numeric), (0)) v
