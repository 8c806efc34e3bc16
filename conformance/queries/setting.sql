-- name: setting
-- result: optional str
SELECT current_setting('statement_timeout') AS "?column?"
