-- name: all_names
-- result: many {name: str}
SELECT name FROM duet_conformance.account
