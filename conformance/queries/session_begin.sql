-- name: session_begin
-- result: none
BEGIN
