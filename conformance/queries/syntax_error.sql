-- name: syntax_error
-- result: one int64
SELECT 1 +
