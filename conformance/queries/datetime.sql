-- name: datetime
-- result: one datetime
SELECT '2026-11-21T10:20:30.456789+00:00'::timestamptz AS "?column?"
