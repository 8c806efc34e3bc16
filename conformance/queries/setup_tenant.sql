-- name: setup_tenant
-- result: none
SELECT 1
