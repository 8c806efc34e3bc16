-- name: isolation
-- result: one str
SELECT replace(initcap(current_setting('transaction_isolation')), ' ', '') AS "?column?"
