-- name: delete_returning
-- args: name str
-- result: optional {name: str}
DELETE FROM duet_conformance.account WHERE name = $1 RETURNING name
