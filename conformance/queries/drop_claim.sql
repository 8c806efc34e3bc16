-- name: drop_claim
-- result: none
DROP TABLE duet_conformance.claim
