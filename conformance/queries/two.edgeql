# name: two
# result: one int64
select 1 + 1
