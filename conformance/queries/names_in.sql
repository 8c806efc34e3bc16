-- name: names_in
-- args: names array<str>
-- result: many {name: str}
SELECT name FROM duet_conformance.account WHERE name = ANY($1::text[]) ORDER BY name
