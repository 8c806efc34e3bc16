-- name: drop_account
-- result: none
DROP TABLE duet_conformance.account
