-- name: setup_account
-- result: none
CREATE TABLE duet_conformance.account (
	id uuid NOT NULL DEFAULT gen_random_uuid(),
	name text NOT NULL CONSTRAINT account_name_key UNIQUE,
	balance int8 NOT NULL CONSTRAINT account_balance_min CHECK (balance >= 0),
	note text,
	color duet_conformance.color,
	tags text[] NOT NULL DEFAULT '{}'
)
