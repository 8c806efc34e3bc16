-- name: missing_value
-- result: one {n: int64, s: optional str}
SELECT 1::int8 AS n, NULL::text AS s
