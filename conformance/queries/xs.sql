-- name: xs
-- result: one str
SELECT repeat('x', 100000) AS "?column?"
