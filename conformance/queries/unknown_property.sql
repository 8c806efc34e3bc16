-- name: unknown_property
-- result: many {nothing: str}
SELECT nothing FROM duet_conformance.account
