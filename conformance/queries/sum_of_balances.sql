-- name: sum_of_balances
-- result: one int64
SELECT coalesce(sum(balance), 0)::int8 AS "?column?" FROM duet_conformance.account
