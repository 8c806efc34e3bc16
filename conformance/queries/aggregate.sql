-- name: aggregate
-- result: one {n: int64, total: int64, top: optional int64}
SELECT count(*) AS n, coalesce(sum(balance), 0)::int8 AS total, max(balance) AS top FROM duet_conformance.account
