-- name: setup_transfer
-- result: none
CREATE TABLE duet_conformance.transfer (
	id uuid NOT NULL DEFAULT gen_random_uuid(),
	src text NOT NULL CONSTRAINT transfer_src_fkey REFERENCES duet_conformance.account (name),
	dst text NOT NULL CONSTRAINT transfer_dst_fkey REFERENCES duet_conformance.account (name),
	amount int8 NOT NULL,
	at timestamptz DEFAULT now()
)
