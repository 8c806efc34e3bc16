-- name: installed
-- args: name str
-- result: one bool
SELECT to_regclass('duet_conformance.' || lower(split_part($1::text, '::', 2))) IS NOT NULL AS "?column?"
