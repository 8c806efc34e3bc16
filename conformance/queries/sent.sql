-- name: sent
-- result: optional {name: str, sent: multi {amount: int64}}
SELECT a.name, coalesce((SELECT json_agg(json_build_object('amount', t.amount)) FROM duet_conformance.transfer t WHERE t.src = a.name), '[]') AS sent FROM duet_conformance.account a WHERE a.name = 'ada'
