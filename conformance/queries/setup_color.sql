-- name: setup_color
-- result: none
CREATE SCHEMA duet_conformance; CREATE TYPE duet_conformance.color AS ENUM ('Red', 'Green', 'Blue')
