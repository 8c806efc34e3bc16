-- name: deferrable
-- result: one bool
SELECT current_setting('transaction_deferrable')::bool AS "?column?"
