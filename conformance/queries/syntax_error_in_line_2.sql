-- name: syntax_error_in_line_2
-- result: one int64
SELECT 'grüße' ||
	'x' ) || 'y'
