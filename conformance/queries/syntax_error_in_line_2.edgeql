# name: syntax_error_in_line_2
# result: one int64
# unproven: the error of a text of several lines was not recorded
select 'grüße' ++
	'x' ) ++ 'y'
