-- name: account_name
-- args: name str
-- result: optional {name: str}
SELECT name FROM duet_conformance.account WHERE name = $1
