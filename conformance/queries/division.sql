-- name: division
-- args: by int64
-- result: one int64
SELECT 1 / $1::int8 AS "?column?"
