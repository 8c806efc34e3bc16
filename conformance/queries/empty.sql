-- name: empty
-- result: none
DELETE FROM duet_conformance.transfer; DELETE FROM duet_conformance.account;
