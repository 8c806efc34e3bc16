-- name: echo_strs
-- args: v array<str>
-- result: one array<str>
SELECT $1::text[] AS "?column?"
