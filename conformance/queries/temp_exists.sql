-- name: temp_exists
-- result: one bool
SELECT to_regclass('pg_temp.duet_conformance_temp') IS NOT NULL AS "?column?"
