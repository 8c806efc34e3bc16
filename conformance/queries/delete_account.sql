-- name: delete_account
-- args: name str
-- result: none
DELETE FROM duet_conformance.account WHERE name = $1
