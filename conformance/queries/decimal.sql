-- name: decimal
-- result: one decimal
SELECT '12345678901234567890.0123456789'::numeric AS "?column?"
