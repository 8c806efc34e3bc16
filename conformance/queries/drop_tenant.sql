-- name: drop_tenant
-- result: none
SELECT 1
