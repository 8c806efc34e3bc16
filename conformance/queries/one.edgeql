# name: one
# result: one int64
select 1
