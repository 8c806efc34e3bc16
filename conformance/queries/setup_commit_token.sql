-- name: setup_commit_token
-- result: none
CREATE SCHEMA IF NOT EXISTS duet; CREATE TABLE duet.commit_token (
	token uuid NOT NULL CONSTRAINT commit_token_token_key PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
)
