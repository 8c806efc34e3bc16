-- name: echo_ints
-- args: v array<int64>
-- result: one array<int64>
SELECT $1::int8[] AS "?column?"
