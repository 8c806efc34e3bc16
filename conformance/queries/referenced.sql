-- name: referenced
-- result: none
DELETE FROM duet_conformance.account WHERE name = 'ada'
