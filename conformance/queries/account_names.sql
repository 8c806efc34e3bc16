-- name: account_names
-- result: many str
SELECT name AS "?column?" FROM duet_conformance.account ORDER BY name LIMIT 5
