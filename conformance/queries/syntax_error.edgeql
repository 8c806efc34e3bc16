# name: syntax_error
# result: one int64
select 1 +
