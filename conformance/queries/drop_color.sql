-- name: drop_color
-- result: none
DROP SCHEMA duet_conformance CASCADE
