-- name: insert_with_note_named
-- named: name str, balance int64, note optional str
-- result: none
INSERT INTO duet_conformance.account (name, balance, note) VALUES ($name, $balance, $note)
