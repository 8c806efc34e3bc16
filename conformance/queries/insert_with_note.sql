-- name: insert_with_note
-- args: name str, balance int64, note optional str
-- result: none
INSERT INTO duet_conformance.account (name, balance, note) VALUES ($1, $2, $3)
