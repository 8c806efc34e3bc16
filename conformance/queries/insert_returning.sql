-- name: insert_returning
-- args: name str
-- result: one {name: str, balance: int64, note: optional str}
INSERT INTO duet_conformance.account (name, balance) VALUES ($1, 1) RETURNING name, balance, note
