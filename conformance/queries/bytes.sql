-- name: bytes
-- result: one bytes
SELECT '\x0001ff'::bytea AS "?column?"
