-- name: name_if
-- args: name optional str
-- result: many {name: str}
SELECT name FROM duet_conformance.account WHERE coalesce(name = $1, true) ORDER BY name LIMIT 2
