-- name: lock_take
-- result: one bool
SELECT pg_try_advisory_lock(7370717281) AS "?column?"
