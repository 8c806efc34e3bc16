-- name: two_columns
-- result: one {n: int64, s: str}
SELECT 1::int8 AS n, 'x'::text AS s
