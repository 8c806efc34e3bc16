-- name: names_like
-- args: pattern str
-- result: many {name: str}
SELECT name FROM duet_conformance.account WHERE name ILIKE $1
