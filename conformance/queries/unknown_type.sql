-- name: unknown_type
-- result: many {name: str}
SELECT name FROM duet_conformance.nothing
