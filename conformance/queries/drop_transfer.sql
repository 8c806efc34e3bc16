-- name: drop_transfer
-- result: none
DROP TABLE duet_conformance.transfer
