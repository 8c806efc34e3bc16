-- name: count_transfers
-- result: one int64
SELECT count(*) AS "?column?" FROM duet_conformance.transfer
