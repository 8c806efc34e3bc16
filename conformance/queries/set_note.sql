-- name: set_note
-- args: name str, note optional str
-- result: none
UPDATE duet_conformance.account SET note = $2 WHERE name = $1
