-- name: aliased
-- result: one str
SELECT 'X'::text AS "?column?"
