-- name: count_accounts
-- result: one int64
SELECT count(*) AS "?column?" FROM duet_conformance.account
