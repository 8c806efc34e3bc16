-- name: insert_from_json
-- args: accounts json
-- result: none
INSERT INTO duet_conformance.account (name, balance) SELECT x->>'name', (x->>'balance')::int8 FROM json_array_elements($1::json) x
