# name: division
# args: by int64
# result: one int64
select 1 // <int64>$0
