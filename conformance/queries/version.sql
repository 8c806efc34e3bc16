-- name: version
-- result: one str
SELECT current_setting('server_version') AS "?column?"
