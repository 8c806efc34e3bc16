-- name: check_violation
-- result: none
UPDATE duet_conformance.account SET balance = -1 WHERE name = 'ada'
