-- name: page_of_names
-- result: many {name: str}
SELECT name FROM duet_conformance.account ORDER BY name OFFSET 1 LIMIT 3
