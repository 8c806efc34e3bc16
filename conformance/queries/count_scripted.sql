-- name: count_scripted
-- result: one int64
SELECT count(*) AS "?column?" FROM duet_conformance.account WHERE name IN ('script1', 'script2')
