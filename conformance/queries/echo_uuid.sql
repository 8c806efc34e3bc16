-- name: echo_uuid
-- args: v uuid
-- result: one uuid
SELECT $1::uuid AS "?column?"
