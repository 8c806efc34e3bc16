-- name: echo_json
-- args: v json
-- result: one json
SELECT $1::json AS "?column?"
