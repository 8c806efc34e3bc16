-- name: objects
-- args: n int64
-- result: many {i: int64, s: str}
SELECT i, i::text AS s FROM generate_series(0::int8, $1::int8 - 1) i
