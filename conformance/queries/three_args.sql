-- name: three_args
-- args: n int64, s str, b bool
-- result: one tuple<int64, str, bool>
SELECT json_build_array($1::int8 + 1, $2::text || '!', NOT $3::bool) AS "?column?"
