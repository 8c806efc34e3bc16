-- name: echo_bytes
-- args: v bytes
-- result: one bytes
SELECT $1::bytea AS "?column?"
