-- name: insert_with_tags
-- args: name str, balance int64, tags array<str>
-- result: none
INSERT INTO duet_conformance.account (name, balance, tags) VALUES ($1, $2, $3)
