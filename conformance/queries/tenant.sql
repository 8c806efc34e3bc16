-- name: tenant
-- result: optional str
SELECT 'acme'::text AS "?column?" WHERE false
