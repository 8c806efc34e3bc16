-- name: delete_returning
-- args: name str
-- result: many {name: str}
DELETE FROM duet_conformance.account WHERE name = $1 RETURNING name
