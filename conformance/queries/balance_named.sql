-- name: balance_named
-- named: name str
-- result: optional int64
SELECT balance AS "?column?" FROM duet_conformance.account WHERE name = $name
