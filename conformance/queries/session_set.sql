-- name: session_set
-- result: none
SET statement_timeout = '54321ms'
