-- name: count_like
-- args: pattern str
-- result: one int64
SELECT count(*) AS "?column?" FROM duet_conformance.account WHERE name LIKE $1
