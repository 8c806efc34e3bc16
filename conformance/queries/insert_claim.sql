-- name: insert_claim
-- args: account str
-- result: none
INSERT INTO duet_conformance.claim (account) VALUES ($1)
