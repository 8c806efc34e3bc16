-- name: empty_claims
-- result: none
DELETE FROM duet_conformance.claim
