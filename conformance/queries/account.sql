-- name: account
-- args: name str
-- result: optional {id: uuid, name: str, balance: int64, note: optional str, color: optional enum<Red, Green, Blue>, tags: multi str}
SELECT id, name, balance, note, color, tags FROM duet_conformance.account WHERE name = $1
