-- name: setting
-- result: one str
SELECT current_setting('statement_timeout') AS "?column?"
