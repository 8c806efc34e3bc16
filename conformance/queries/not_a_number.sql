-- name: not_a_number
-- result: one int64
SELECT 'x'::text::int8 AS "?column?"
