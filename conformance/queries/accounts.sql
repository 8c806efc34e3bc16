-- name: accounts
-- result: many {name: str, balance: int64}
SELECT name, balance FROM duet_conformance.account ORDER BY name
