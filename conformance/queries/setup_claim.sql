-- name: setup_claim
-- result: none
CREATE TABLE duet_conformance.claim (
	account text NOT NULL CONSTRAINT claim_account_fkey REFERENCES duet_conformance.account (name) DEFERRABLE INITIALLY DEFERRED
)
