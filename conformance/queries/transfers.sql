-- name: transfers
-- result: many {amount: int64, src: {name: str}, dst: {name: str, note: optional str}}
SELECT t.amount, json_build_object('name', s.name) AS src, json_build_object('name', d.name, 'note', d.note) AS dst FROM duet_conformance.transfer t JOIN duet_conformance.account s ON s.name = t.src JOIN duet_conformance.account d ON d.name = t.dst ORDER BY t.amount
